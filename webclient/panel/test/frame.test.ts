/** Inside Mastodon's page: whose panel it is, and whom it listens to. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { HostMessage } from "../src/app.ts";
import { type Known, said } from "../src/messages.ts";
import { json } from "./fakes/env.ts";
import { BOB, FakePanel } from "./fakes/panel.ts";

const HOST: HostMessage = { theme: "dark", contrast: "default", lang: "de", me: "1", nobody: false, page: "https://social.example/home", open: true };

function framed(): { p: FakePanel; shown: Set<string> } {
  const p = new FakePanel();
  p.env.framed = true;
  const shown = new Set<string>();
  p.app.state.subscribe((s) => {
    shown.add(s.screen.kind);
    if (s.account) shown.add("account");
  });
  return { p, shown };
}

describe("in a frame", () => {
  it("asks who is signed in when the page has said whose it is", async () => {
    const { p } = framed();
    p.app.actions.start();
    await p.env.advance(900);
    assert.deepEqual([p.env.requests, p.state.screen.kind], [[], "loading"]);
    p.app.actions.host(HOST);
    p.app.actions.host(HOST);
    await p.env.advance(100);
    assert.equal(p.state.screen.kind, "list");
    assert.equal(p.env.requests.filter((r) => r === "GET /api/v1/session").length, 1);
    await p.env.advance(5_000);
    assert.equal(p.env.requests.filter((r) => r === "GET /api/v1/session").length, 1);
  });
  it("does not wait for ever, nor for what was said already", async () => {
    const silent = framed().p;
    await silent.start();
    assert.deepEqual(silent.env.requests, []);
    await silent.env.advance(1_000);
    assert.equal(silent.state.screen.kind, "list");
    const told = framed().p;
    told.app.actions.host(HOST);
    await told.start();
    assert.equal(told.state.screen.kind, "list");
  });
  for (const [whose, change, reason] of [["somebody else's", { me: "2" }, "other-account"], ["nobody's", { me: "", nobody: true }, "signed-out"]] as const) {
    it(`${whose} page: signs out, forgets, and shows nothing of the session before`, async () => {
      const { p, shown } = framed();
      p.env.local.setItem("trunkline:1:outbox", '["secret"]');
      p.app.actions.host({ ...HOST, ...change });
      await p.start();
      assert.deepEqual(p.state.screen, { kind: "signed-out", reason });
      assert.deepEqual([...shown], ["loading", "signed-out"]);
      assert.deepEqual([p.server.logins.length, p.signedIn, p.env.local.length, p.env.tab.length, p.env.timers], [0, false, 0, 0, 0]);
      assert.deepEqual(p.env.hostMessages.filter((m) => m["type"] === "trunkline:used"), [{ type: "trunkline:used", used: false }]);
    });
    it(`${whose} page, told late: the chats go at once, before the server has answered`, async () => {
      const { p } = framed();
      p.app.actions.host({ ...HOST, me: "" });
      await p.start();
      p.server.say(BOB, "secret");
      p.app.actions.host({ ...HOST, ...change });
      assert.deepEqual([p.state.screen.kind, p.state.account, p.state.conversations.size, p.env.local.length], ["loading", null, 0, 0]);
      await p.env.advance(100);
      assert.deepEqual(p.state.screen, { kind: "signed-out", reason });
    });
  }
  it("signs out for good: a server that cannot be told is told later", async () => {
    const { p, shown } = framed();
    const good = p.env.routes.get("POST /auth/logout");
    p.env.routes.set("POST /auth/logout", () => json(null, 0));
    p.app.actions.host({ ...HOST, me: "", nobody: true });
    await p.start();
    assert.equal(p.state.screen.kind, "server-down");
    assert.deepEqual(p.env.hostMessages.filter((m) => m["type"] === "trunkline:used"), [], "the launcher keeps its flag");
    if (good) p.env.routes.set("POST /auth/logout", good);
    await p.env.advance(60_000);
    assert.deepEqual([p.state.screen.kind, p.signedIn, shown.has("account")], ["signed-out", false, false]);
  });
  it("says that the chat is not used where nobody was signed in to begin with", async () => {
    const { p } = framed();
    p.signedIn = false;
    p.app.actions.host({ ...HOST, me: "", nobody: true });
    await p.start();
    assert.deepEqual(p.env.hostMessages.filter((m) => m["type"] === "trunkline:used"), [{ type: "trunkline:used", used: false }]);
  });
  it("an unknown person is no reason to sign out; the same one neither", async () => {
    for (const me of ["", "1"]) {
      const { p } = framed();
      p.app.actions.host({ ...HOST, me });
      await p.start();
      assert.equal(p.state.screen.kind, "list");
    }
  });
});

describe("messages from other windows", () => {
  const [parent, popup, other] = [{}, {}, {}] as Window[] as [Window, Window, Window];
  const known: Known = { parent, hostOrigin: "https://social.example", ownOrigin: "https://chat.social.example", popup };
  const host = { data: { type: "trunkline:host", me: "1", signedIn: false, theme: "dark", open: true }, origin: known.hostOrigin, source: parent };
  const login = { data: { type: "trunkline:login", ok: true, handoff: "c0de" }, origin: known.ownOrigin, source: popup };

  it("count from the page around us and from the login window that we opened", () => {
    assert.deepEqual(said(host, known), { by: "host", message: { theme: "dark", contrast: "default", lang: "en", me: "1", nobody: true, page: "", open: true } });
    assert.deepEqual(said(login, known), { by: "login", result: { ok: true, error: "", message: "", handoff: "c0de" } });
    const quiet = said({ ...host, data: { type: "trunkline:host" } }, known);
    assert.equal(quiet?.by === "host" && quiet.message.nobody, false);
  });
  it("do not from other windows, origins or shapes", () => {
    const wrong = [
      { ...host, source: other }, { ...host, origin: known.ownOrigin }, { ...host, source: popup }, { ...host, data: "trunkline:host" }, { ...host, data: null },
      { ...login, source: other }, { ...login, source: parent }, { ...login, origin: known.hostOrigin }, { ...login, source: null },
    ];
    for (const e of wrong) assert.equal(said(e, known), null);
    assert.equal(said({ ...login, source: null }, { ...known, popup: null }), null, "no login window, no message");
  });
});
