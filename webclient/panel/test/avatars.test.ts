/** What the browser keeps of pictures: some, and no more. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Contacts } from "../src/contacts.ts";
import { initialState, type State } from "../src/state.ts";
import { Store } from "../src/storage.ts";
import { FakeEnv } from "./fakes/env.ts";

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
});
