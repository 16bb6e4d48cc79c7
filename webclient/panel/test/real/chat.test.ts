/** The panel's core against a real Prosody in a real browser: what only those two can prove. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Panel, Panels } from "./panel.ts";
import { Prosody } from "./prosody.ts";

const ALICE = "alice@social.example";
const BOB = "bob@social.example";

describe("chat on a real server", { timeout: 180_000 }, () => {
  let prosody: Prosody;
  let panels: Panels;
  let alice: Panel;
  let bob: Panel;

  before(async () => {
    prosody = await Prosody.start(["alice", "bob"]);
    panels = await Panels.start(() => prosody.url);
    alice = await panels.open(await panels.context("alice"));
    bob = await panels.open(await panels.context("bob"));
    await Promise.all([alice.online(), bob.online()]);
  });

  after(async () => {
    await panels?.stop();
    await prosody?.stop();
  });

  it("shows contacts' presence and carries messages, receipts, markers and typing both ways", async () => {
    await alice.until((s, j) => s.contacts.get(j)?.availability === "online", BOB, "bob online");
    await alice.openChat(BOB);
    await alice.page.evaluate((j) => window.app.actions.draft(j, "hel"), BOB);
    await alice.send(BOB, "hello <b>bob</b> & co \u{1f600}\u0007");
    await bob.until((s, j) => s.conversations.get(j)?.unread === 1, ALICE, "unread at bob");
    assert.deepEqual(await bob.bodies(ALICE), ["hello <b>bob</b> & co \u{1f600}"]);
    await alice.until((s, j) => s.conversations.get(j)?.messages[0]?.state === "delivered", BOB, "receipt");
    await bob.openChat(ALICE);
    await alice.until((s, j) => s.conversations.get(j)?.messages[0]?.state === "read", BOB, "marker");
    await bob.page.evaluate((j) => window.app.actions.draft(j, "hi"), ALICE);
    await alice.until((s, j) => s.conversations.get(j)?.composing, BOB, "bob types");
    await bob.send(ALICE, "hi alice");
    await alice.until((s, j) => s.conversations.get(j)?.messages.length === 2, BOB, "answer");
    assert.equal((await alice.conversation(BOB)).composing, false);
  });

  it("loses and doubles nothing over three cuts, and resumes", async () => {
    for (let i = 0; i < 3; i++) {
      await Promise.all([alice.send(BOB, `a${i}-before`), bob.send(ALICE, `b${i}-before`)]);
      prosody.cut();
      await Promise.all([alice.send(BOB, `a${i}-during`), bob.send(ALICE, `b${i}-during`)]);
      const settled = (s: import("../../src/state.ts").State, [j, last]: readonly [string, string]): unknown =>
        s.connection.kind === "online" && s.connection.resumed &&
        s.conversations.get(j)?.messages.some((m) => m.body === last) &&
        s.conversations.get(j)?.messages.every((m) => !m.mine || !["queued", "sending"].includes(m.state));
      await alice.until(settled, [BOB, `b${i}-during`] as const, "alice back");
      await bob.until(settled, [ALICE, `a${i}-during`] as const, "bob back");
    }
    for (const [panel, peer] of [[alice, BOB], [bob, ALICE]] as const) {
      const bodies = (await panel.bodies(peer)).filter((b) => /^[ab]\d-/.test(b)).sort();
      const all = [0, 1, 2].flatMap((i) => [`a${i}-before`, `a${i}-during`, `b${i}-before`, `b${i}-during`]).sort();
      assert.deepEqual(bodies, all);
    }
  });

  it("resumes after a reload, with history, presences and unread counts", async () => {
    await alice.page.evaluate(() => window.app.actions.go("list"));
    await bob.send(ALICE, "while alice is in the list");
    await alice.until((s, j) => s.conversations.get(j)?.unread === 1, BOB, "unread");
    const before = await alice.bodies(BOB);
    await alice.page.reload();
    await alice.online();
    await alice.until((s, j) => s.conversations.get(j)?.messages.length, BOB, "history");
    assert.equal(await alice.page.evaluate(() => JSON.stringify(window.app.state.value.connection)), '{"kind":"online","resumed":true}');
    assert.deepEqual((await alice.bodies(BOB)).sort(), before.sort());
    assert.equal((await alice.conversation(BOB)).unread, 1);
    await alice.until((s, j) => s.contacts.get(j)?.availability === "online", BOB, "presence after reload");
    await alice.send(BOB, "after the reload");
    await bob.until((s, j) => s.conversations.get(j)?.messages.at(-1)?.body === "after the reload", ALICE, "arrives");
  });

  it("lets one of two tabs have the connection, and hands it over on request", async () => {
    await alice.openChat(BOB);
    const context = alice.page.context();
    const waiting = context.waitForEvent("page");
    await alice.page.evaluate(() => void window.open(location.href)); // copies sessionStorage
    const { Panel: Tab } = await import("./panel.ts");
    const second = new Tab(await waiting);
    await second.page.waitForFunction(() => Boolean(window.app));
    await second.until((s) => s.connection.kind === "replaced", null, "second tab waits");
    await alice.send(BOB, "still the first tab");
    await bob.until((s, j) => s.conversations.get(j)?.messages.at(-1)?.body === "still the first tab", ALICE, "first works");
    assert.equal(await alice.page.evaluate(() => window.app.state.value.connection.kind), "online");
    await second.page.evaluate(() => window.app.actions.takeOver());
    await second.online();
    await alice.until((s) => s.connection.kind === "replaced", null, "first tab yields");
    assert.equal(await second.page.evaluate(() => JSON.stringify(window.app.state.value.connection)), '{"kind":"online","resumed":false}');
    await second.page.close();
    await alice.online(); // comes back by itself
  });

  it("reconnects by itself after the server was killed, with nothing lost or doubled", async () => {
    await Promise.all([alice.send(BOB, "k1"), bob.send(ALICE, "k2")]);
    await prosody.kill();
    await Promise.all([alice.send(BOB, "k3"), bob.send(ALICE, "k4")]);
    await alice.until((s) => s.connection.kind === "reconnecting", null, "alice sees it");
    await prosody.launch();
    for (const [panel, peer] of [[alice, BOB], [bob, ALICE]] as const) {
      await panel.until(
        (s, j) => ["k1", "k2", "k3", "k4"].every((b) => s.conversations.get(j)?.messages.some((m) => m.body === b && (!m.mine || m.state !== "sending"))),
        peer, "all four",
      );
      assert.deepEqual((await panel.bodies(peer)).filter((b) => /^k\d$/.test(b)).sort(), ["k1", "k2", "k3", "k4"]);
    }
  });

  it("survives a contact's forged stream error, carbon, roster push and archive result", async () => {
    await bob.openChat(ALICE);
    await bob.send(ALICE, "the last honest one");
    await alice.until((s, j) => s.conversations.get(j)?.messages.at(-1)?.body === "the last honest one", BOB, "honest");
    const bodies = await alice.bodies(BOB);
    const hostile = [
      `<message xmlns="jabber:client" to="${ALICE}" type="chat"><error xmlns="http://etherx.jabber.org/streams"><conflict xmlns="urn:ietf:params:xml:ns:xmpp-streams"/></error></message>`,
      `<message xmlns="jabber:client" to="${ALICE}" type="chat"><received xmlns="urn:xmpp:carbons:2"><forwarded xmlns="urn:xmpp:forward:0"><message xmlns="jabber:client" from="${BOB}" to="${ALICE}" type="chat"><body>forged</body></message></forwarded></received></message>`,
      `<message xmlns="jabber:client" to="${ALICE}" type="chat"><result xmlns="urn:xmpp:mam:2" queryid="x" id="y"><forwarded xmlns="urn:xmpp:forward:0"><message xmlns="jabber:client" from="${BOB}" to="${ALICE}" type="chat"><body>forged</body></message></forwarded></result></message>`,
      `<message xmlns="jabber:client" to="${ALICE}" type="chat"><body>end</body></message>`,
    ];
    await bob.page.evaluate(sendRaw, { password: "bob", url: prosody.url, stanzas: hostile });
    await alice.until((s, j) => s.conversations.get(j)?.messages.at(-1)?.body === "end", BOB, "end");
    assert.deepEqual(await alice.bodies(BOB), [...bodies, "end"]);
    assert.equal(await alice.page.evaluate(() => window.app.state.value.connection.kind), "online");
  });

  it("leaves nothing behind after sign-out, and asks nothing more", async () => {
    assert.ok((await alice.storageKeys()).some((k) => k.startsWith("trunkline:")));
    await alice.page.evaluate(() => window.app.actions.signOut());
    await alice.until((s) => s.screen.kind === "signed-out" && s.conversations.size === 0, null, "signed out");
    assert.deepEqual((await alice.storageKeys()).filter((k) => k.startsWith("trunkline:")), []);
    await bob.until((s, j) => s.contacts.get(j)?.availability === "offline", ALICE, "alice gone");
    const asked = panels.requests.length;
    await alice.page.waitForTimeout(1_500);
    assert.deepEqual(panels.requests.slice(asked), []);
  });
});

/** Runs in the page: a second session that sends what no honest client would. */
async function sendRaw({ password, url, stanzas }: { password: string; url: string; stanzas: string[] }): Promise<void> {
  const ws = new WebSocket(url, "xmpp");
  const next = (): Promise<string> => new Promise((resolve) => (ws.onmessage = (e: MessageEvent<string>) => resolve(e.data)));
  const until = async (part: string): Promise<void> => {
    while (!(await next()).includes(part));
  };
  const open = `<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="social.example" version="1.0"/>`;
  await new Promise((resolve) => (ws.onopen = resolve));
  ws.send(open);
  await until("mechanisms");
  ws.send(`<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">${btoa(`\0bob\0${password}`)}</auth>`);
  await until("<success");
  ws.send(open);
  await until("features");
  ws.send(`<iq xmlns="jabber:client" type="set" id="b"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/></iq>`);
  await until("<jid>");
  for (const s of stanzas) ws.send(s);
  ws.send(`<iq xmlns="jabber:client" type="get" id="p"><ping xmlns="urn:xmpp:ping"/></iq>`);
  await until("id='p'");
  ws.close();
}
