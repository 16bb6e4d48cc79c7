/** What the browser keeps of pictures: some, and no more. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Contacts } from "../src/contacts.ts";
import { type Contact, initialState, type State } from "../src/state.ts";
import { Store } from "../src/storage.ts";
import { FakeEnv, json } from "./fakes/env.ts";
import { BOB, FakePanel } from "./fakes/panel.ts";

describe("pictures from an import", () => {
  it("are kept up to a number and a length, the last ones", () => {
    const env = new FakeEnv();
    const state: State = initialState({ name: "", origin: "", domain: "" });
    const link = { up: false, send: () => undefined, ask: () => Promise.reject(new Error("offline")) };
    const contacts = new Contacts(env, { state, change: () => undefined }, link, new Store(env.tab, "1"), new Store(env.local, "1"), "a@x", () => undefined);
    contacts.rememberAvatars({ "first@x": "https://p/first.png", "long@x": `https://p/${"x".repeat(1_000)}` });
    assert.deepEqual(contacts.avatars(), { "first@x": "https://p/first.png" });
    contacts.rememberAvatars(Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`n${i}@x`, `https://p/${i}.png`])));
    const kept = contacts.avatars();
    assert.deepEqual([Object.keys(kept).length, kept["first@x"], kept["n4999@x"]], [3_000, undefined, "https://p/4999.png"]);
    contacts.rememberAvatars({ "n4999@x": "https://p/new.png" });
    assert.equal(contacts.avatars()["n4999@x"], "https://p/new.png");
  });

  it("come back in another browser for those who are contacts, when the people one follows are shown", () => {
    const env = new FakeEnv();
    const contact = (jid: string, avatar: string): Contact => (
      { jid, name: "", avatar, subscription: "none", asked: false, groups: [], availability: "unknown" }
    );
    let state: State = {
      ...initialState({ name: "", origin: "", domain: "" }),
      contacts: new Map([contact("bob@x", ""), contact("carol@x", "https://p/old.png"), contact("dave@x", "")].map((c) => [c.jid, c])),
    };
    const cell = { get state() { return state; }, change: (fn: (s: State) => State) => { state = fn(state); } };
    const link = { up: false, send: () => undefined, ask: () => Promise.reject(new Error("offline")) };
    const contacts = new Contacts(env, cell, link, new Store(env.tab, "1"), new Store(env.local, "1"), "a@x", () => undefined);
    contacts.refreshAvatars({ "bob@x": "https://p/bob.png", "carol@x": "https://p/new.png", "stranger@x": "https://p/s.png" });
    assert.deepEqual([...state.contacts.values()].map((c) => c.avatar), ["https://p/bob.png", "https://p/new.png", ""]);
    assert.deepEqual(contacts.avatars(), { "bob@x": "https://p/bob.png", "carol@x": "https://p/new.png" });
  });

  it("come with the people one follows, where the panel shows them", async () => {
    const p = await new FakePanel().start();
    assert.equal(p.state.contacts.get(BOB)?.avatar, "");
    const bob = { id: "1", acct: "bob", display_name: "Bob", avatar: "https://m.example/1.png", url: "", jid: BOB, reach: "local" };
    p.env.routes.set("GET /api/v1/follows", () => json({ people: [bob], next: null }));
    p.app.actions.go("people");
    await p.env.advance(10);
    assert.equal(p.state.contacts.get(BOB)?.avatar, "https://m.example/1.png");
  });
});
