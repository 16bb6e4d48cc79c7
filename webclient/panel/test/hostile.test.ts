/** What others send is believed only where their word counts. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Questions, reply, StreamLost } from "../src/xmpp/iq.ts";
import { readMessage } from "../src/xmpp/message.ts";
import { NS } from "../src/xmpp/ns.ts";
import { readAvailability } from "../src/xmpp/presence.ts";
import { rosterItems, rosterPush } from "../src/xmpp/roster.ts";
import { attr, child, h, type Xml } from "../src/xmpp/xml.ts";
import { archived, OWN } from "./fakes/server.ts";

const BOB = "bob@social.example";
const EVE = "eve@evil.example";

function chat(from: string, to: string, body: string, ...extra: Xml[]): Xml {
  return h("message", { xmlns: NS.CLIENT, type: "chat", from, to, id: "i" }, h("body", {}, body), ...extra);
}

function carbon(direction: "sent" | "received", outer: string, inner: Xml): Xml {
  const wrapped = h(direction, { xmlns: NS.CARBONS }, h("forwarded", { xmlns: NS.FORWARD }, inner));
  return h("message", { xmlns: NS.CLIENT, from: outer, to: `${OWN}/tab` }, wrapped);
}

describe("carbons", () => {
  const received = chat(`${BOB}/phone`, `${OWN}/other`, "hi");
  const sent = chat(`${OWN}/other`, BOB, "hi");

  it("count from our own account", () => {
    const r = readMessage(carbon("received", OWN, received), OWN);
    assert.deepEqual([r?.via, r?.peer, r?.mine, r?.body], ["carbon", BOB, false, "hi"]);
    const s = readMessage(carbon("sent", OWN, sent), OWN);
    assert.deepEqual([s?.via, s?.peer, s?.mine], ["carbon", BOB, true]);
  });
  const forged: [string, Xml][] = [
    ["from a contact", carbon("received", BOB, received)],
    ["from a stranger, saying we sent it", carbon("sent", EVE, sent)],
    ["from another resource of ours", carbon("received", `${OWN}/other`, received)],
    ["from a look-alike address", carbon("received", `${OWN}.evil.example`, received)],
    ["sent, but not by us", carbon("sent", OWN, received)],
    ["received, but not for us", carbon("received", OWN, chat(BOB, EVE, "x"))],
    ["without a message inside", carbon("received", OWN, h("iq", { xmlns: NS.CLIENT }))],
  ];
  for (const [name, x] of forged) it(`do not count ${name}`, () => assert.equal(readMessage(x, OWN), null));
  it("are unwrapped once", () => {
    const nested = readMessage(carbon("received", OWN, { ...carbon("received", OWN, received), attrs: { from: BOB, to: OWN } }), OWN);
    assert.equal(nested?.body ?? "", "");
  });
});

describe("archive results", () => {
  it("count from our own archive and carry its id and time", () => {
    const e = readMessage(archived("s1", "q", chat(`${BOB}/x`, OWN, "hi")), OWN);
    assert.deepEqual([e?.via, e?.queryId, e?.stanzaId, e?.at], ["archive", "q", "s1", Date.parse("2026-01-02T03:04:05Z")]);
  });
  it("do not count from others", () => {
    assert.equal(readMessage(archived("s1", "q", chat(BOB, OWN, "hi"), BOB), OWN), null);
    assert.equal(readMessage(archived("s1", "q", chat(BOB, OWN, "hi"), `${OWN}/other`), OWN), null);
    assert.equal(readMessage(archived("s1", "q", chat(BOB, EVE, "hi")), OWN), null);
  });
});

describe("live messages", () => {
  it("take a stanza-id only from our own server", () => {
    const sid = (by: string): Xml => h("stanza-id", { xmlns: NS.SID, by, id: "s7" });
    assert.equal(readMessage(chat(BOB, OWN, "x", sid(OWN)), OWN)?.stanzaId, "s7");
    assert.equal(readMessage(chat(BOB, OWN, "x", sid(BOB)), OWN)?.stanzaId, "");
    assert.equal(readMessage(chat(BOB, OWN, "x", sid(EVE), { ...sid(OWN), attrs: { by: OWN, id: "s8" } }), OWN)?.stanzaId, "s8");
  });
  it("take a delay only from our own server", () => {
    const delay = (from?: string): Xml => h("delay", { xmlns: NS.DELAY, from, stamp: "2020-01-01T00:00:00Z" });
    assert.equal(readMessage(chat(BOB, OWN, "x", delay("social.example")), OWN)?.at, Date.parse("2020-01-01T00:00:00Z"));
    assert.equal(readMessage(chat(BOB, OWN, "x", delay(BOB)), OWN)?.at, 0);
    assert.equal(readMessage(chat(BOB, OWN, "x", delay()), OWN)?.at, 0);
  });
  it("from rooms, headlines and servers are none of ours", () => {
    for (const type of ["groupchat", "headline"]) assert.equal(readMessage(h("message", { xmlns: NS.CLIENT, type, from: BOB }, h("body", {}, "x")), OWN), null);
    assert.equal(readMessage(chat("social.example", OWN, "x"), OWN), null);
  });
  it("ignore bodies, receipts and errors of foreign namespaces", () => {
    const e = readMessage(h("message", { xmlns: NS.CLIENT, from: BOB }, h("body", { xmlns: "evil" }, "x"), h("received", { xmlns: "evil", id: "1" })), OWN);
    assert.deepEqual([e?.body, e?.received], ["", ""]);
  });
  it("of type error confirm nothing and explain themselves", () => {
    const x = h("message", { xmlns: NS.CLIENT, type: "error", from: BOB, id: "1" }, h("body", {}, "x"), h("received", { xmlns: NS.RECEIPTS, id: "1" }),
      h("error", {}, h("service-unavailable", { xmlns: NS.STANZAS })));
    const e = readMessage(x, OWN);
    assert.deepEqual([e?.body, e?.received, e?.error], ["", "", "There is nobody at this address, or they cannot be reached now."]);
    const refused = h("message", { xmlns: NS.CLIENT, type: "error", from: BOB, id: "1" }, h("error", {}, h("not-allowed", { xmlns: NS.STANZAS }),
      h("text", { xmlns: NS.STANZAS }, "Not while hidden."), h("refused", { xmlns: NS.GATEWAY })));
    assert.equal(readMessage(refused, OWN)?.error, "Not while hidden.");
  });
  it("of type error blame nobody for what a server did", () => {
    const said = (condition: string, from = BOB, more?: Xml): string | undefined =>
      readMessage(h("message", { xmlns: NS.CLIENT, type: "error", from, id: "1" }, h("error", {}, h(condition, { xmlns: NS.STANZAS }), more)), OWN)?.error;
    const far = "\u2068far.example\u2069 cannot be reached from your server";
    for (const c of ["remote-server-not-found", "remote-server-timeout"]) assert.equal(said(c, "eve@far.example"), `${far}.`);
    for (const c of ["forbidden", "not-allowed", "not-acceptable"]) {
      assert.equal(said(c), "They do not accept messages from you.");
      assert.equal(said(c, "eve@far.example"), `${far}, or they do not accept messages from you.`);
    }
    assert.equal(said("item-not-found"), "There is nobody at this address, or they cannot be reached now.");
    assert.equal(said("not-acceptable", BOB, h("blocked", { xmlns: NS.BLOCKED })), "You have blocked them.");
  });
});

describe("roster", () => {
  const push = (from?: string): Xml =>
    h("iq", { xmlns: NS.CLIENT, type: "set", id: "p", from }, h("query", { xmlns: NS.ROSTER }, h("item", { jid: EVE, subscription: "both" })));
  it("pushes count from our own account or without a sender", () => {
    assert.equal(rosterPush(push(), OWN)?.[0]?.jid, EVE);
    assert.equal(rosterPush(push(OWN), OWN)?.length, 1);
    for (const from of [EVE, "social.example", `${OWN}/other`, `${OWN}x`]) assert.equal(rosterPush(push(from), OWN), null);
  });
  it("ignores items without address and unknown subscriptions", () => {
    const iq = h("iq", {}, h("query", { xmlns: NS.ROSTER }, h("item", {}), h("item", { jid: "A@B/c", subscription: "admin" })));
    assert.deepEqual(rosterItems(iq), [{ jid: "a@b", name: "", subscription: "none", asked: false, groups: [] }]);
  });
});

describe("questions", () => {
  const ask = async (to: string | undefined, answerFrom: string | undefined, type = "result"): Promise<boolean> => {
    const q = new Questions(() => `${OWN}/tab`);
    const p = q.wait(h("iq", { xmlns: NS.CLIENT, id: "q1", type: "get", to }), () => () => undefined);
    const taken = q.answer(h("iq", { xmlns: NS.CLIENT, id: "q1", type, from: answerFrom }));
    q.abandon();
    await p.catch(() => null);
    return taken;
  };
  it("accept the asked one's answer only", async () => {
    assert.equal(await ask(undefined, undefined), true);
    assert.equal(await ask(undefined, OWN), true);
    assert.equal(await ask(undefined, "social.example"), true);
    assert.equal(await ask(undefined, EVE), false);
    assert.equal(await ask(undefined, `${OWN}/other`), false);
    assert.equal(await ask(BOB, BOB), true);
    assert.equal(await ask(BOB, EVE), false);
    assert.equal(await ask(BOB, undefined), false);
    assert.equal(await ask(undefined, OWN, "get"), false);
  });
  it("are rejected when the stream ends", async () => {
    const q = new Questions(() => `${OWN}/tab`);
    const p = q.wait(h("iq", { id: "1" }), () => () => undefined);
    q.abandon();
    await assert.rejects(p, StreamLost);
  });
});

describe("other people's questions", () => {
  it("are answered as an offline resource would, to the asker", () => {
    const r = reply(h("iq", { xmlns: NS.CLIENT, type: "get", id: "1", from: `${EVE}/x` }, h("ping", { xmlns: NS.PING })), OWN);
    assert.deepEqual([attr(r, "type"), attr(r, "to"), attr(r, "id")], ["error", `${EVE}/x`, "1"]);
    assert.ok(child(child(r, "error"), "service-unavailable", NS.STANZAS));
  });
  it("except our server's ping", () => {
    assert.equal(attr(reply(h("iq", { xmlns: NS.CLIENT, type: "get", id: "1", from: "social.example" }, h("ping", { xmlns: NS.PING })), OWN), "type"), "result");
  });
});

describe("presence", () => {
  it("reads availability and leaves errors and subscriptions alone", () => {
    const p = (type?: string, show?: string): Xml => h("presence", { xmlns: NS.CLIENT, type }, show ? h("show", {}, show) : null);
    assert.deepEqual([p(), p(undefined, "xa"), p(undefined, "dnd"), p(undefined, "weird"), p("unavailable"), p("error"), p("subscribe")].map(readAvailability),
      ["online", "away", "dnd", "online", "offline", null, null]);
  });
});
