/** What going from one screen to another keeps, and what it does not. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BOB, FakePanel } from "./fakes/panel.ts";

describe("an address that was typed in", () => {
  it("stays in the list only when something was written, or begun", async () => {
    const p = await new FakePanel().start();
    const { actions } = p.app;
    for (const name of ["nobody", "begun", "written"]) assert.equal(actions.startChat(name), "");
    assert.deepEqual([...p.state.conversations.keys()], ["written@social.example"]);
    actions.send("written@social.example", "hello");
    actions.startChat("begun");
    actions.draft("begun@social.example", "hel");
    actions.startChat("nobody");
    actions.startChat("nobody");
    await p.env.advance(100);
    assert.equal(p.conversation("nobody@social.example").history, "complete");
    actions.open(BOB);
    actions.go("list");
    assert.deepEqual([...p.state.conversations.keys()], ["written@social.example", "begun@social.example", BOB]);
  });
  it("must look like one", async () => {
    const p = await new FakePanel().start();
    assert.equal(p.app.actions.startChat("a b"), "This is no chat address. Write it like name@server.");
    assert.equal(p.state.screen.kind, "list");
  });
});

describe("settings", () => {
  it("say when they are left with a choice that was not saved", async () => {
    const p = await new FakePanel().start();
    const { actions } = p.app;
    actions.go("settings");
    actions.go("list");
    assert.equal(p.state.notice, "");
    actions.go("settings");
    actions.draftConsent({ presence: "nobody" });
    actions.go("list");
    assert.equal(p.state.notice, "Your choice in the settings was not saved.");
    actions.go("settings");
    assert.deepEqual([p.state.notice, p.state.consentDraft.presence], ["", "contacts"]);
    actions.draftConsent({ presence: "nobody" });
    actions.saveConsent();
    await p.env.advance(100);
    actions.go("list");
    assert.deepEqual([p.state.notice, p.state.consent.presence], ["", "nobody"]);
  });
});
