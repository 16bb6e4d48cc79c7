/** Small pure parts: back-off, addresses, stanza building. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { delay, FIRST_MS, MAX_MS } from "../src/backoff.ts";
import { domain, typed } from "../src/xmpp/jid.ts";
import { archivePage, archiveQuery } from "../src/xmpp/mam.ts";
import { NS } from "../src/xmpp/ns.ts";
import { attr, child, clean, h, stanzaError, text } from "../src/xmpp/xml.ts";

describe("delay", () => {
  it("doubles from a quick first try to the ceiling, half of it random", () => {
    assert.equal(delay(1, 0), FIRST_MS / 2);
    assert.equal(delay(1, 0.999999), FIRST_MS);
    assert.equal(delay(2, 0), FIRST_MS);
    assert.equal(delay(1000, 0), MAX_MS / 2);
    for (let n = 1; n < 60; n++) assert.ok(delay(n, 0.3) <= delay(n + 1, 0.3) && delay(n, 0.999) <= MAX_MS);
  });
  it("waits at least as long as the server asked for, jittered", () => {
    assert.equal(delay(1, 0, 30_000), 30_000);
    assert.equal(delay(1, 0.5, 30_000), 30_500);
  });
});

describe("typed", () => {
  const cases: [string, string][] = [
    ["bob@social.example", "bob@social.example"],
    [" @Bob@Social.Example ", "bob@social.example"],
    ["xmpp:bob@other.example", "bob@other.example"],
    ["bob", "bob@home.example"],
    ["@bob", "bob@home.example"],
    ["", ""],
    ["bob@", ""],
    ["a b@x.example", ""],
    ["bob@x@y", ""],
    ["bob@x.example/phone", ""],
    ["<script>@x.example", ""],
    ["bob@-x.example", ""],
  ];
  for (const [input, want] of cases) it(JSON.stringify(input), () => assert.equal(typed(input, "home.example"), want));
  it("knows an address's domain", () => assert.equal(domain("Bob@X.example/r"), "x.example"));
});

describe("h", () => {
  it("removes what XML cannot carry, from text and attributes", () => {
    const x = h("message", { xmlns: NS.CLIENT, id: "a\u0000b" }, h("body", {}, "x\u0007\ud800y\uffff\u{1f600}\n"));
    assert.equal(attr(x, "id"), "ab");
    assert.equal(text(child(x, "body")), "xy\u{1f600}\n");
    assert.equal(clean("\ud83d"), "");
    assert.equal(clean("\udc00x"), "x");
  });
  it("inherits namespaces through several levels and keeps declared ones", () => {
    const x = h("iq", { xmlns: "a" }, h("b", {}, h("c")), h("d", { xmlns: "z" }, h("e")));
    assert.equal(child(child(x, "b", "a"), "c", "a")?.name, "c");
    assert.equal(child(child(x, "d", "z"), "e", "z")?.name, "e");
  });
  it("treats attribute names as data", () => {
    const x = h("a", JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>);
    assert.equal(attr(x, "toString"), "");
    assert.equal(attr(x, "constructor"), "y");
  });
  it("reads stanza errors", () => {
    const x = h("iq", { xmlns: NS.CLIENT }, h("error", {}, h("forbidden", { xmlns: NS.STANZAS }), h("text", { xmlns: NS.STANZAS }, "no")));
    assert.deepEqual(stanzaError(x), { condition: "forbidden", text: "no" });
    assert.equal(stanzaError(h("iq")).condition, "undefined-condition");
  });
});

describe("archive queries", () => {
  it("asks for a page of one person before an id", () => {
    const iq = archiveQuery({ with: "bob@x", before: "s9", max: 50 }, "q1");
    const query = child(iq, "query", NS.MAM);
    assert.equal(attr(query, "queryid"), "q1");
    assert.equal(text(child(child(query, "set", NS.RSM), "before")), "s9");
    assert.equal(child(child(query, "set", NS.RSM), "after"), null);
  });
  it("reads the end of a page, and that an empty one is the last", () => {
    const fin = (complete: string, ...set: ReturnType<typeof h>[]) =>
      h("iq", { xmlns: NS.CLIENT, type: "result" }, h("fin", { xmlns: NS.MAM, complete }, h("set", { xmlns: NS.RSM }, ...set)));
    assert.deepEqual(archivePage(fin("false", h("first", {}, "a"), h("last", {}, "b"))), { first: "a", last: "b", complete: false });
    assert.deepEqual(archivePage(fin("false")), { first: "", last: "", complete: true });
    assert.equal(archivePage(h("iq", { xmlns: NS.CLIENT, type: "error" })), null);
  });
});
