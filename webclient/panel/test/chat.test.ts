/** Messages through the whole core: live, archive, cuts, resumption, reload. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NS } from "../src/xmpp/ns.ts";
import { attr, child, h } from "../src/xmpp/xml.ts";
import { FakeEnv } from "./fakes/env.ts";
import { BOB, FakePanel } from "./fakes/panel.ts";
import { archived, FakeServer, OWN } from "./fakes/server.ts";

const states = (p: FakePanel): string[] => p.conversation().messages.map((m) => m.state);
const sentIds = (p: FakePanel): string[] => p.server.messages().map((m) => attr(m, "id"));

describe("sending", () => {
  it("goes from sending to sent with the server's acknowledgement", async () => {
    const p = await new FakePanel().start();
    p.server.swallow = "before";
    p.app.actions.send(BOB, "  hi  ");
    assert.deepEqual([p.bodies(), states(p)], [["hi"], ["sending"]]);
    const m = p.server.messages()[0];
    assert.equal(attr(m, "id"), attr(child(m, "origin-id", NS.SID), "id"));
    p.server.stream?.on?.acked([attr(m, "id")]);
    assert.deepEqual(states(p), ["sent"]);
  });
  it("ignores blank text and refuses what is too long", async () => {
    const p = await new FakePanel().start();
    p.app.actions.send(BOB, " \n ");
    p.app.actions.send(BOB, "x".repeat(50_000));
    assert.deepEqual(p.server.messages(), []);
    assert.notEqual(p.state.notice, "");
  });
  it("queues while offline, in order, and sends each once", async () => {
    const p = await new FakePanel().start();
    p.server.cut();
    for (const t of ["1", "2", "3"]) p.app.actions.send(BOB, t);
    assert.deepEqual(states(p), ["queued", "queued", "queued"]);
    await p.env.advance(60_000);
    assert.deepEqual(p.server.messages().map((m) => child(m, "body")?.children[0]), ["1", "2", "3"]);
    assert.deepEqual(states(p), ["sent", "sent", "sent"]);
    assert.equal(new Set(sentIds(p)).size, 3);
  });
  it("keeps what waits over a reload", async () => {
    const p = await new FakePanel().start();
    p.server.cut();
    p.app.actions.send(BOB, "kept");
    const again = await new FakePanel(p.server, new FakeEnv(p.env.local, p.env.tab)).start();
    assert.deepEqual(again.bodies(), ["kept"]);
    assert.equal(again.server.messages().length, 1);
  });
  it("shows a refusal and sends anew on request, under a new id", async () => {
    const p = await new FakePanel().start();
    p.server.swallow = "before";
    p.app.actions.send(BOB, "hi");
    const id = sentIds(p)[0] ?? "";
    const error = h("error", {}, h("item-not-found", { xmlns: NS.STANZAS }));
    p.server.deliver(h("message", { xmlns: NS.CLIENT, type: "error", from: "eve@evil.example", id }, error));
    assert.deepEqual(states(p), ["sending"], "only the recipient's side can refuse");
    p.server.deliver(h("message", { xmlns: NS.CLIENT, type: "error", from: BOB, id }, error));
    assert.deepEqual(states(p), ["failed"]);
    assert.match(p.conversation().messages[0]?.error ?? "", /nobody at this address/);
    p.server.swallow = "no";
    p.app.actions.retry(BOB, p.conversation().messages[0]?.key ?? "");
    assert.deepEqual([states(p), sentIds(p).length], [["sent"], 2]);
    assert.notEqual(sentIds(p)[1], id);
  });
});

describe("after a failed resumption", () => {
  async function lost(swallow: "before" | "after", texts: string[]): Promise<FakePanel> {
    const p = await new FakePanel().start();
    p.server.say(BOB, "earlier");
    p.server.swallow = swallow;
    for (const t of texts) p.app.actions.send(BOB, t);
    p.server.swallow = "no";
    p.server.cut();
    await p.env.advance(5_000);
    return p;
  }
  it("sends again, with the same id, what the archive does not have", async () => {
    const p = await lost("before", ["a", "b"]);
    const ids = sentIds(p);
    assert.deepEqual(ids, [ids[0], ids[1], ids[0], ids[1]]);
    assert.deepEqual([p.bodies(), states(p)], [["earlier", "a", "b"], ["sent", "sent", "sent"]]);
    assert.deepEqual(p.server.archive.map((m) => m.peer).length, 3);
  });
  it("does not repeat what the archive has, except the last, which may have been cut off half-way", async () => {
    const p = await lost("after", ["a", "b", "c"]);
    const ids = sentIds(p);
    assert.deepEqual(ids.slice(3), [ids[2]]);
    assert.deepEqual([p.bodies(), states(p)], [["earlier", "a", "b", "c"], ["sent", "sent", "sent", "sent"]]);
  });
  it("does not repeat the last either when a receipt confirmed it", async () => {
    const p = await new FakePanel().start();
    p.server.swallow = "after";
    p.app.actions.send(BOB, "a");
    p.server.deliver(h("message", { xmlns: NS.CLIENT, from: `${BOB}/r`, to: OWN }, h("received", { xmlns: NS.RECEIPTS, id: sentIds(p)[0] })));
    p.server.cut();
    await p.env.advance(5_000);
    assert.equal(sentIds(p).length, 1);
  });
  it("asks the archive from where it was known at sending, not from what came since", async () => {
    const p = await new FakePanel().start();
    p.server.say(BOB, "earlier");
    p.server.swallow = "after";
    p.app.actions.send(BOB, "a");
    p.app.actions.send(BOB, "b");
    p.server.say(BOB, "came before the acknowledgement");
    p.server.cut();
    p.server.swallow = "no";
    await p.env.advance(5_000);
    assert.equal(sentIds(p).filter((id) => id === sentIds(p)[0]).length, 1);
    assert.equal(p.bodies().filter((b) => b === "a").length, 1);
  });
  it("sends again at once where there is no archive", async () => {
    const p = new FakePanel();
    p.server.mam = false;
    await p.start();
    p.server.swallow = "before";
    p.app.actions.send(BOB, "a");
    p.server.swallow = "no";
    p.server.cut();
    await p.env.advance(5_000);
    assert.deepEqual([sentIds(p).length, states(p)], [2, ["sent"]]);
  });
  it("waits through a second cut while it was looking", async () => {
    const p = await new FakePanel().start();
    p.server.swallow = "before";
    p.app.actions.send(BOB, "a");
    p.server.swallow = "no";
    p.server.cut();
    await p.env.advance(290); // dialling
    p.server.cut();
    await p.env.advance(10_000);
    assert.deepEqual([p.bodies(), states(p)], [["a"], ["sent"]]);
  });
});

describe("after a resumption", () => {
  it("repeats nothing itself and takes redelivered messages once", async () => {
    const p = new FakePanel();
    p.server.resumable = true;
    await p.start();
    p.server.swallow = "after";
    p.app.actions.send(BOB, "acked by the resumption");
    p.server.cut();
    p.server.say(BOB, "meanwhile", "m1");
    await p.env.advance(5_000);
    assert.equal(p.state.connection.kind === "online" && p.state.connection.resumed, true);
    assert.deepEqual([p.bodies(), states(p)], [["acked by the resumption", "meanwhile"], ["sent", "sent"]]);
    assert.equal(sentIds(p).length, 1);
    p.server.say(BOB, "meanwhile", "m1");
    assert.equal(p.bodies().length, 2);
  });
});

describe("receiving", () => {
  it("counts unread, not in the open conversation, and clears by our other device", async () => {
    const p = await new FakePanel().start();
    p.server.say(BOB, "1");
    p.server.say(BOB, "2");
    assert.equal(p.app.unread.value, 2);
    assert.deepEqual(p.env.hostMessages.at(-1), { type: "trunkline:unread", count: 2 });
    const inner = h("message", { xmlns: NS.CLIENT, type: "chat", from: `${OWN}/phone`, to: BOB, id: "p1" }, h("body", {}, "from my phone"));
    const carbon = h("sent", { xmlns: NS.CARBONS }, h("forwarded", { xmlns: NS.FORWARD }, inner));
    p.server.deliver(h("message", { xmlns: NS.CLIENT, from: OWN, to: `${OWN}/tab` }, carbon));
    assert.equal(p.app.unread.value, 0);
    assert.deepEqual(p.bodies(), ["1", "2", "from my phone"]);
    p.app.actions.open(BOB);
    p.server.say(BOB, "3");
    assert.equal(p.app.unread.value, 0);
    p.app.actions.attention(false);
    p.server.say(BOB, "4");
    assert.equal(p.app.unread.value, 1);
    p.app.actions.attention(true);
    assert.equal(p.app.unread.value, 0);
    assert.equal(p.conversation().messages.find((m) => m.key === p.conversation().firstUnread)?.body, "4");
  });
  it("keeps unread counts over a reload and adds what came meanwhile", async () => {
    const p = await new FakePanel().start();
    p.server.say(BOB, "1");
    const reloaded = new FakePanel(p.server, new FakeEnv(p.env.local, p.env.tab));
    p.server.stream = null;
    p.server.say(BOB, "2");
    await reloaded.start();
    assert.deepEqual([reloaded.bodies(), reloaded.conversation().unread], [["1", "2"], 2]);
    reloaded.app.actions.open(BOB);
    const third = await new FakePanel(p.server, new FakeEnv(p.env.local, p.env.tab)).start();
    assert.equal(third.conversation().unread, 0);
  });
  it("finds unread messages at a first sign-in", async () => {
    const server = new FakeServer();
    server.store(BOB, BOB, "old", "o1");
    server.store(BOB, OWN, "my answer", "o2");
    server.store(BOB, BOB, "waiting for you", "o3");
    const p = await new FakePanel(server).start();
    assert.deepEqual([p.bodies(), p.conversation().unread], [["old", "my answer", "waiting for you"], 1]);
  });
  it("shows what was missed before what comes live, each once, over three cuts", async () => {
    const p = await new FakePanel().start();
    const want: string[] = [];
    for (let i = 0; i < 3; i++) {
      want.push(`live ${i}`);
      p.server.say(BOB, `live ${i}`);
      p.server.cut();
      want.push(`missed ${i}`);
      p.server.say(BOB, `missed ${i}`);
      await p.env.advance(60_000);
    }
    assert.deepEqual(p.bodies(), want);
  });
  it("sends receipts and markers only with consent, only for people it knows", async () => {
    const request = h("request", { xmlns: NS.RECEIPTS });
    const markable = h("markable", { xmlns: NS.MARKERS });
    for (const receipts of [true, false]) {
      const p = new FakePanel();
      p.consent.receipts = receipts;
      await p.start();
      p.server.say(BOB, "1", "b1", request, markable);
      p.server.say("eve@evil.example", "2", "e1", request, markable);
      p.app.actions.open(BOB);
      p.app.actions.open("eve@evil.example");
      await p.env.advance(100);
      const sent = p.server.received.filter((x) => x.name === "message").map((x) => `${attr(x, "to")} ${x.children.map((c) => typeof c !== "string" && c.name).join()}`);
      assert.deepEqual(sent, receipts ? [`${BOB} received,store`, `${BOB} displayed,store`] : []);
    }
  });
  it("lets only the person written to confirm", async () => {
    const p = await new FakePanel().start();
    p.app.actions.send(BOB, "hi");
    const of = sentIds(p)[0] ?? "";
    const received = h("received", { xmlns: NS.RECEIPTS, id: of });
    p.server.deliver(h("message", { xmlns: NS.CLIENT, from: "eve@evil.example/x", to: OWN }, received));
    assert.deepEqual(states(p), ["sent"]);
    p.server.deliver(h("message", { xmlns: NS.CLIENT, from: `${BOB}/x`, to: OWN }, received));
    assert.deepEqual(states(p), ["delivered"]);
    p.server.deliver(h("message", { xmlns: NS.CLIENT, from: `${BOB}/x`, to: OWN }, h("displayed", { xmlns: NS.MARKERS, id: of })));
    assert.deepEqual(states(p), ["read"]);
  });
  it("ignores archive results that nobody asked for", async () => {
    const p = await new FakePanel().start();
    const inner = h("message", { xmlns: NS.CLIENT, type: "chat", from: BOB, to: OWN }, h("body", {}, "x"));
    p.server.deliver(archived("s1", "unasked", inner));
    await p.env.advance(100);
    assert.deepEqual(p.bodies(), []);
  });
});

describe("typing", () => {
  it("is told with consent: composing, paused, and closed by the message", async () => {
    const p = await new FakePanel().start();
    const chatStates = (): string[] => p.server.received.flatMap((x) => x.children.flatMap((c) => (typeof c !== "string" && c.ns === NS.CHAT_STATES ? [c.name] : [])));
    p.app.actions.draft(BOB, "h");
    p.app.actions.draft(BOB, "he");
    await p.env.advance(5_000);
    p.app.actions.draft(BOB, "hel");
    p.app.actions.send(BOB, "hello");
    assert.deepEqual(chatStates(), ["composing", "paused", "composing", "active"]);
    assert.equal(p.conversation().draft, "");
    p.server.received.length = 0;
    p.consent.typing = false;
    p.app.actions.go("settings");
    p.app.actions.draftConsent({ typing: false });
    p.app.actions.saveConsent();
    await p.env.advance(100);
    p.app.actions.draft(BOB, "x");
    p.app.actions.send(BOB, "x");
    assert.deepEqual(chatStates(), []);
  });
  it("of the other side ends with a message, or by itself", async () => {
    const p = await new FakePanel().start();
    p.server.say(BOB, "1");
    const composing = h("message", { xmlns: NS.CLIENT, type: "chat", from: `${BOB}/r`, to: OWN }, h("composing", { xmlns: NS.CHAT_STATES }));
    p.server.deliver(composing);
    assert.equal(p.conversation().composing, true);
    p.server.say(BOB, "2");
    assert.equal(p.conversation().composing, false);
    p.server.deliver(composing);
    await p.env.advance(31_000);
    assert.equal(p.conversation().composing, false);
  });
});

describe("history", () => {
  function long(n: number): FakeServer {
    const server = new FakeServer();
    for (let i = 0; i < n; i++) server.store(BOB, i % 3 ? BOB : OWN, `m${i}`, `h${i}`);
    return server;
  }
  it("scrolls back page by page to the beginning, each message once", async () => {
    const p = await new FakePanel(long(230)).start();
    p.app.actions.open(BOB);
    for (let i = 0; i < 10 && p.conversation().history !== "complete"; i++) {
      p.app.actions.loadOlder(BOB);
      p.app.actions.loadOlder(BOB);
      await p.env.advance(100);
    }
    assert.deepEqual(p.bodies(), Array.from({ length: 230 }, (_, i) => `m${i}`));
  });
  it("pages through everything missed", async () => {
    const p = await new FakePanel().start();
    p.server.say(BOB, "first");
    p.server.cut();
    p.server.resumable = false;
    for (let i = 0; i < 350; i++) p.server.store(BOB, BOB, `m${i}`, `h${i}`);
    await p.env.advance(10_000);
    assert.equal(p.bodies().length, 351);
    assert.equal(p.conversation().unread, 351);
    assert.deepEqual(p.bodies().slice(-1), ["m349"]);
  });
  it("marks a gap when too much was missed, and fills it", async () => {
    const p = await new FakePanel().start();
    p.server.say(BOB, "first");
    p.server.cut();
    for (let i = 0; i < 5_250; i++) p.server.store(BOB, BOB, `m${i}`, `h${i}`);
    await p.env.advance(10_000);
    const gap = p.conversation().messages.find((m) => m.gapBefore);
    assert.equal(gap?.body, "m5150");
    for (let i = 0; i < 10; i++) {
      const open = p.conversation().messages.find((m) => m.gapBefore);
      if (!open) break;
      p.app.actions.fillGap(BOB, open.key);
      await p.env.advance(100);
    }
    assert.deepEqual(p.bodies(), ["first", ...Array.from({ length: 5_250 }, (_, i) => `m${i}`)]);
  });
  it("polls where the server cannot deliver live, and only there", async () => {
    const p = new FakePanel();
    p.consent.presence = "nobody";
    p.server.hidden = "archive";
    await p.start();
    p.server.store(BOB, BOB, "quietly", "q1");
    await p.env.advance(6_000);
    assert.deepEqual([p.bodies(), p.conversation().unread], [["quietly"], 1]);
    const live = await new FakePanel().start();
    const before = live.server.received.length;
    await live.env.advance(60_000);
    assert.equal(live.server.received.length, before);
  });
  it("goes on when the archive forgot where we were", async () => {
    const p = await new FakePanel().start();
    p.server.say(BOB, "1");
    p.server.cut();
    p.server.archive.length = 0;
    await p.env.advance(5_000);
    p.server.say(BOB, "2", "n2");
    assert.deepEqual(p.bodies(), ["1", "2"]);
  });
});
