/** Signing in and out, first run, connection states, tabs. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NS } from "../src/xmpp/ns.ts";
import { attr, h } from "../src/xmpp/xml.ts";
import { FakeEnv, json, Locks, MapStorage } from "./fakes/env.ts";
import { BOB, FakePanel } from "./fakes/panel.ts";
import { FakeServer, OWN } from "./fakes/server.ts";

const HOST = { theme: "dark", contrast: "default", lang: "de", me: "", nobody: false, page: "https://social.example/home", open: true } as const;
const credentials = (p: FakePanel): number => p.env.requests.filter((r) => r.includes("credentials")).length;

const kind = (p: FakePanel): string => p.state.screen.kind;

async function signedOut(): Promise<FakePanel> {
  const p = new FakePanel();
  p.signedIn = false;
  return p.start();
}

describe("signed out", () => {
  it("asks once and then nothing, for hours, focus or not", async () => {
    const p = await signedOut();
    assert.deepEqual(p.state.screen, { kind: "signed-out", reason: "none" });
    await p.env.advance(6 * 3_600_000);
    p.env.emit("focus");
    p.env.emit("online");
    await p.env.advance(1_000);
    assert.deepEqual(p.env.requests, ["GET /api/v1/session"]);
    assert.equal(p.env.timers, 0);
  });
  it("is reached from a running chat by a 401, with nothing left", async () => {
    const p = await new FakePanel().start();
    p.server.say(BOB, "secret");
    p.signedIn = false;
    p.server.cut("revoked");
    await p.env.advance(60_000);
    assert.deepEqual(p.state.screen, { kind: "signed-out", reason: "expired" });
    assert.deepEqual([p.state.account, p.state.conversations.size, p.state.contacts.size, p.app.unread.value], [null, 0, 0, 0]);
    assert.deepEqual([p.env.local.length, p.env.tab.length], [0, 0]);
    const asked = p.env.requests.length;
    await p.env.advance(3_600_000);
    assert.equal(p.env.requests.length, asked);
    assert.equal(p.env.timers, 0);
  });
});

describe("login", () => {
  it("by popup", async () => {
    const p = await signedOut();
    p.app.actions.host(HOST);
    p.app.actions.login();
    assert.deepEqual(p.state.screen, { kind: "login-pending", blocked: false, redirectUrl: "/auth/login?mode=redirect&return=https%3A%2F%2Fsocial.example%2Fhome" });
    p.signedIn = true;
    p.app.actions.loginResult({ ok: true, error: "", message: "", handoff: "" });
    await p.env.advance(100);
    assert.equal(kind(p), "list");
    assert.equal(p.state.connection.kind, "online");
  });
  it("by redirect that failed still says so when the server answers that nobody is signed in", async () => {
    const p = new FakePanel();
    p.signedIn = false;
    p.app.actions.start();
    p.app.actions.loginResult({ ok: false, error: "denied", message: "", handoff: "" });
    await p.env.advance(100);
    assert.equal(p.state.screen.kind === "login-error" && p.state.screen.code, "denied");
  });
  it("offers a link when the popup is blocked", async () => {
    const p = await signedOut();
    p.env.blockPopups = true;
    p.app.actions.login();
    assert.equal(p.state.screen.kind === "login-pending" && p.state.screen.blocked, true);
  });
  it("tells why it failed and lets try again", async () => {
    const p = await signedOut();
    p.app.actions.login();
    p.app.actions.loginResult({ ok: false, error: "denied", message: "", handoff: "" });
    assert.equal(p.state.screen.kind === "login-error" && p.state.screen.code, "denied");
    p.app.actions.login();
    assert.equal(kind(p), "login-pending");
  });
  it("notices a closed popup; and, later, one that succeeded without being able to say so", async () => {
    const p = await signedOut();
    p.app.actions.login();
    p.env.popupClosed = true;
    await p.env.advance(2_000);
    assert.deepEqual(p.state.screen, { kind: "signed-out", reason: "popup-closed" });
    p.signedIn = true;
    p.env.emit("focus");
    await p.env.advance(100);
    assert.equal(kind(p), "list");
  });
  it("hands the code over where cookies need it", async () => {
    const p = await signedOut();
    p.env.routes.set("POST /auth/handoff", () => {
      p.signedIn = true;
      return json({});
    });
    p.app.actions.login();
    p.app.actions.loginResult({ ok: true, error: "", message: "", handoff: "c0de" });
    await p.env.advance(100);
    assert.deepEqual(p.env.bodies[p.env.requests.indexOf("POST /auth/handoff")], { code: "c0de" });
    assert.equal(kind(p), "list");
  });
});

describe("first run", () => {
  it("goes address, consent, people, list; connects only after the choice; nothing is preselected", async () => {
    const p = new FakePanel();
    Object.assign(p.consent, { decided: false, presence: "nobody", typing: false, receipts: false });
    await p.start();
    assert.deepEqual([p.state.screen.kind, p.server.logins.length], ["address", 0]);
    p.app.actions.go("list");
    assert.equal(kind(p), "address");
    p.app.actions.addressSeen();
    assert.deepEqual([p.state.consentDraft.presence, p.state.consentDraft.typing, p.state.consentDraft.receipts], [null, false, false]);
    p.app.actions.saveConsent();
    await p.env.advance(100);
    assert.equal(kind(p), "consent", "a choice is needed");
    p.app.actions.draftConsent({ presence: "nobody" });
    p.app.actions.saveConsent();
    await p.env.advance(100);
    assert.deepEqual([kind(p), p.state.connection.kind, p.state.consent.decided], ["people", "online", true]);
    p.app.actions.leavePeople();
    assert.equal(kind(p), "list");
  });
});

describe("sign-out", () => {
  it("ends the session, purges every trace and stays quiet", async () => {
    const p = await new FakePanel().start();
    p.app.actions.send(BOB, "hi");
    p.app.actions.signOut();
    p.app.actions.send(BOB, "too late");
    await p.env.advance(1_000);
    assert.deepEqual(p.state.screen, { kind: "signed-out", reason: "signed-out" });
    assert.deepEqual([p.env.local.length, p.env.tab.length, p.env.timers], [0, 0, 0]);
    assert.equal(p.server.messages().length, 1);
    assert.deepEqual(p.env.hostMessages.at(-1), { type: "trunkline:used", used: false });
  });
  it("says so when the server could not be told, and goes on", async () => {
    const p = await new FakePanel().start();
    p.env.routes.set("POST /auth/logout", () => json(null, 0));
    p.app.actions.signOut();
    await p.env.advance(1_000);
    assert.notEqual(p.state.notice, "");
    assert.equal(p.state.connection.kind, "online");
  });
  it("in another tab is noticed here", async () => {
    const p = await new FakePanel().start();
    p.signedIn = false;
    p.env.local.map.clear();
    p.env.emit("storage");
    await p.env.advance(100);
    assert.equal(p.state.screen.kind, "signed-out");
  });
  it("what another account left is removed at sign-in", async () => {
    const env = new FakeEnv();
    env.local.setItem("trunkline:2:outbox", "[]");
    env.local.setItem("unrelated", "x");
    await new FakePanel(new FakeServer(), env).start();
    assert.equal(env.local.getItem("trunkline:2:outbox"), null);
    assert.equal(env.local.getItem("unrelated"), "x");
  });
});

describe("the connection", () => {
  it("takes a fresh credential for every attempt and grows its pauses", async () => {
    const p = await new FakePanel().start();
    const passwords = new Set<string>();
    const pauses: number[] = [];
    for (let i = 0; i < 6; i++) {
      passwords.add(p.server.logins.at(-1)?.password ?? "");
      p.server.cut();
      const c = p.state.connection;
      assert.ok(c.kind === "reconnecting");
      pauses.push(c.nextAt - p.env.now());
      await p.env.advance(c.nextAt - p.env.now());
    }
    assert.equal(passwords.size, 6);
    assert.deepEqual(pauses, [300, 600, 1200, 2400, 4800, 9600]);
    await p.env.advance(20_000);
    p.server.cut();
    assert.ok(p.state.connection.kind === "reconnecting" && p.state.connection.nextAt - p.env.now() === 300, "a stable stream starts over");
  });
  it("tells that Trunkline is down, obeys Retry-After, and tries again at once when asked", async () => {
    const p = await new FakePanel().start();
    const good = p.env.routes.get("POST /api/v1/credentials");
    p.env.routes.set("POST /api/v1/credentials", () => json({ error: "rate_limited" }, 429, 40));
    p.server.cut();
    await p.env.advance(1_000);
    const c = p.state.connection;
    assert.ok(c.kind === "server-down" && c.nextAt - p.env.now() > 38_000);
    if (good) p.env.routes.set("POST /api/v1/credentials", good);
    p.app.actions.retryNow();
    await p.env.advance(10);
    assert.equal(p.state.connection.kind, "online");
  });
  it("waits while the browser is offline and comes back with the network", async () => {
    const p = await new FakePanel().start();
    p.env.isOnline = false;
    p.env.emit("offline");
    assert.equal(p.state.connection.kind, "offline");
    const before = credentials(p);
    await p.env.advance(3_600_000);
    assert.equal(credentials(p), before);
    p.env.isOnline = true;
    p.env.emit("online");
    await p.env.advance(10);
    assert.equal(p.state.connection.kind, "online");
  });
  it("says in the server's words why an account may chat no more", async () => {
    for (const [code, message] of [["account_suspended", "Suspended."], ["login_again", "Once more."]]) {
      const p = await new FakePanel().start();
      p.env.routes.set("POST /api/v1/credentials", () => json({ error: code, message }, 401));
      p.server.cut();
      await p.env.advance(1_000);
      assert.deepEqual(p.state.screen, { kind: "signed-out", reason: "expired", message });
      assert.deepEqual([p.env.local.length, p.env.timers], [0, 0]);
    }
    const p = await signedOut();
    p.app.actions.loginResult({ ok: false, error: "popup_needed", message: "", handoff: "" });
    assert.ok(p.state.screen.kind === "login-error" && p.state.screen.message.includes("window"));
  });
  it("shows that Trunkline does not answer at start, and recovers", async () => {
    const p = new FakePanel();
    const good = p.env.routes.get("GET /api/v1/session");
    p.env.routes.set("GET /api/v1/session", () => json(null, 502));
    await p.start();
    assert.equal(p.state.screen.kind, "server-down");
    if (good) p.env.routes.set("GET /api/v1/session", good);
    await p.env.advance(10_000);
    assert.equal(kind(p), "list");
  });
  it("learns of consent given elsewhere before it connects again", async () => {
    const p = await new FakePanel().start();
    p.consent.presence = "nobody";
    p.server.hidden = "live";
    p.server.cut("policy");
    await p.env.advance(1_000);
    assert.equal(p.state.consent.presence, "nobody");
  });
});

describe("tabs", () => {
  it("one is connected; the other waits, can take over, and comes back by itself", async () => {
    const [local, locks] = [new MapStorage(), new Locks()];
    const first = await new FakePanel(new FakeServer(), new FakeEnv(local, new MapStorage(), locks)).start();
    const copied = new MapStorage();
    for (const [k, v] of first.env.tab.map) copied.setItem(k, v);
    const second = await new FakePanel(new FakeServer(), new FakeEnv(local, copied, locks)).start();
    second.server.resumable = true;
    assert.deepEqual([first.state.connection.kind, second.state.connection.kind], ["online", "replaced"]);
    await second.env.advance(3_600_000);
    assert.equal(second.server.logins.length, 0);
    second.app.actions.takeOver();
    await second.env.advance(100);
    assert.deepEqual(second.state.connection, { kind: "online", resumed: false }, "the copied stream is not resumed");
    assert.equal(first.state.connection.kind, "replaced");
    second.app.actions.signOut();
    await second.env.advance(100);
    await first.env.advance(100);
    assert.equal(first.state.connection.kind, "online");
  });
  it("a session taken by another connection is not fought over", async () => {
    const p = await new FakePanel().start();
    p.server.cut("conflict");
    await p.env.advance(3_600_000);
    assert.deepEqual([p.state.connection.kind, p.server.logins.length], ["replaced", 1]);
  });
});

describe("contacts", () => {
  const subscribe = h("presence", { xmlns: NS.CLIENT, type: "subscribe", from: "carol@social.example" });
  const answers = (p: FakePanel): string[] => p.server.received.filter((x) => x.name === "presence" && attr(x, "to")).map((x) => attr(x, "type"));

  it("asking to see us can be accepted with presence consent only, or declined", async () => {
    const p = await new FakePanel().start();
    p.server.deliver(subscribe);
    p.server.deliver(subscribe);
    assert.deepEqual(p.state.requests.map((r) => r.jid), ["carol@social.example"]);
    p.app.actions.acceptRequest("carol@social.example");
    assert.deepEqual([answers(p), p.state.requests], [["subscribed"], []]);
    const hidden = new FakePanel();
    hidden.consent.presence = "nobody";
    hidden.server.hidden = "live";
    await hidden.start();
    hidden.server.deliver(subscribe);
    hidden.app.actions.acceptRequest("carol@social.example");
    assert.equal(hidden.state.requests.length, 1);
    hidden.app.actions.declineRequest("carol@social.example");
    await hidden.env.advance(10);
    assert.deepEqual(answers(hidden), ["unsubscribed"]);
  });
  it("presences and requests survive a reload that resumes", async () => {
    const p = new FakePanel();
    p.server.resumable = true;
    await p.start();
    p.server.deliver(h("presence", { xmlns: NS.CLIENT, from: `${BOB}/r` }));
    p.server.deliver(subscribe);
    p.env.emit("pagehide");
    const again = await new FakePanel(p.server, new FakeEnv(p.env.local, p.env.tab)).start();
    assert.deepEqual(again.state.connection, { kind: "online", resumed: true });
    assert.equal(again.contact().availability, "online");
    assert.equal(again.state.requests.length, 1);
    assert.deepEqual(again.server.received.filter((x) => x.name === "presence").length, 1, "presence is not sent again");
  });
  it("roster pushes are answered and shown in batches; forged ones refused", async () => {
    const p = await new FakePanel().start();
    let changes = 0;
    const stop = p.app.state.subscribe(() => changes++);
    const push = (i: number, from?: string) => h("iq", { xmlns: NS.CLIENT, type: "set", id: `p${i}`, from },
      h("query", { xmlns: NS.ROSTER }, h("item", { jid: `n${i}@x.example`, subscription: "none" })));
    for (let i = 0; i < 2_000; i++) p.server.deliver(push(i, i % 2 ? OWN : undefined));
    p.server.deliver(push(9_999, BOB));
    await p.env.advance(100);
    assert.equal(p.state.contacts.size, 2_001);
    assert.ok(changes < 5, `${changes} redraws`);
    const answers = p.server.received.filter((x) => /^p\d/.test(attr(x, "id")));
    assert.deepEqual([answers.filter((x) => attr(x, "type") === "result").length, answers.filter((x) => attr(x, "type") === "error").length], [2_000, 1]);
    stop();
  });
});

describe("people", () => {
  const person = (i: number) => ({ id: String(i), acct: `u${i}`, display_name: `U ${i}`, avatar: i === 1 ? "https://m.example/1.png" : "javascript:x", url: "", jid: `u${i}@social.example`, reach: "local" });

  it("pages to the end, waits when Mastodon is busy, imports, and follows progress", async () => {
    const p = await new FakePanel().start();
    let calls = 0;
    p.env.routes.set("GET /api/v1/follows", () => {
      calls += 1;
      if (calls === 2) return json({ error: "mastodon_busy", message: "wait" }, 429, 30);
      const n = calls > 2 ? calls - 1 : calls;
      return json({ people: [person(n)], next: n < 3 ? `c${n}` : null });
    });
    p.env.routes.set("POST /api/v1/imports", () => json({ id: "imp", total: 1 }, 202));
    p.env.routes.set("GET /api/v1/imports/imp", () => json({ id: "imp", total: 1, done: 1, finished: true, items: [{ id: "1", jid: "u1@social.example", name: "U 1", status: "added", reason: "" }] }));
    p.app.actions.go("people");
    await p.env.advance(10);
    assert.equal(p.state.people.status, "waiting");
    await p.env.advance(60_000);
    assert.deepEqual([p.state.people.status, p.state.people.people.map((f) => f.id), p.state.people.selected.size], ["done", ["1", "2", "3"], 0]);
    assert.deepEqual(p.state.people.people.map((f) => f.avatar), ["https://m.example/1.png", "", ""]);
    p.app.actions.startImport();
    assert.ok(!p.env.requests.includes("POST /api/v1/imports"), "nobody is picked");
    p.app.actions.select(["1"], true);
    p.app.actions.subscribe("1", true);
    p.app.actions.startImport();
    p.app.actions.startImport();
    await p.env.advance(10);
    assert.equal(p.env.requests.filter((r) => r === "POST /api/v1/imports").length, 1);
    const stream = p.env.streams[0];
    assert.equal(stream?.path, "/api/v1/imports/imp/events");
    stream?.on.item(JSON.stringify({ done: 1, total: 1, id: "1", jid: "u1@social.example", status: "added", reason: "" }));
    stream?.on.item("not json");
    assert.deepEqual([p.state.people.progress?.done, p.state.people.progress?.items[0]?.name], [1, "U 1"]);
    stream?.on.end("{}");
    await p.env.advance(10);
    assert.deepEqual([p.state.people.progress?.finished, stream?.open], [true, false]);
  });
  it("shows the result of an import that ended while nobody looked, once", async () => {
    const p = await new FakePanel().start();
    p.env.routes.set("GET /api/v1/follows", () => json({ people: [person(1)], next: null }));
    p.env.routes.set("POST /api/v1/imports", () => json({ id: "imp", total: 1 }, 202));
    p.env.routes.set("GET /api/v1/imports/imp", () => json({ id: "imp", total: 1, done: 1, finished: true, items: [{ id: "1", jid: "u1@social.example", name: "U 1", status: "failed", reason: "no" }] }));
    p.app.actions.go("people");
    await p.env.advance(10);
    p.app.actions.select(["1"], true);
    p.app.actions.startImport();
    await p.env.advance(10);
    p.app.actions.leavePeople();
    p.env.streams[0]?.on.end("{}");
    await p.env.advance(10);
    p.app.actions.go("people");
    assert.equal(p.state.people.progress?.items[0]?.reason, "no");
    p.app.actions.leavePeople();
    p.app.actions.go("people");
    assert.equal(p.state.people.progress, null);
  });
  it("uses one key for a repeated request, so that it is one import", async () => {
    const p = await new FakePanel().start();
    const keys: unknown[] = [];
    p.env.routes.set("GET /api/v1/follows", () => json({ people: [person(1)], next: null }));
    p.env.routes.set("POST /api/v1/imports", (body) => {
      keys.push((body as { key: string }).key);
      return json(null, 502);
    });
    p.app.actions.go("people");
    await p.env.advance(10);
    p.app.actions.select(["1"], true);
    for (let i = 0; i < 2; i++) {
      p.app.actions.startImport();
      await p.env.advance(10);
    }
    assert.equal(keys.length, 2);
    assert.equal(keys[0], keys[1]);
    assert.notEqual(p.state.people.message, "");
  });
});
