import assert from "node:assert/strict";
import { test } from "node:test";
import { linkify, type Link, type Piece } from "../../src/views/linkify.ts";

const links = (text: string): string[] => linkify(text).filter((p): p is Link => typeof p !== "string").map((p) => p.href);
const joined = (pieces: Piece[]): string => pieces.map((p) => (typeof p === "string" ? p : p.text)).join("");

test("links of the four schemes are found", () => {
  assert.deepEqual(links("see https://a.example/x?y=1#z and http://b.example"), ["https://a.example/x?y=1#z", "http://b.example/"]);
  assert.deepEqual(links("xmpp:bob@social.example mailto:bob@social.example"), ["xmpp:bob@social.example", "mailto:bob@social.example"]);
  assert.deepEqual(links("HTTPS://A.EXAMPLE"), ["https://a.example/"]);
  assert.deepEqual(links("https://müller.example/weg"), ["https://xn--mller-kva.example/weg"]);
});

test("the sentence keeps its punctuation, the link its brackets", () => {
  assert.deepEqual(linkify("Look (https://a.example/b)."), ["Look (", { text: "https://a.example/b", href: "https://a.example/b" }, ")."]);
  assert.deepEqual(links("https://w.example/A_(b)"), ["https://w.example/A_(b)"]);
  assert.deepEqual(links("(https://w.example/A_(b))"), ["https://w.example/A_(b)"]);
  assert.deepEqual(links("https://a.example/?!…"), ["https://a.example/"]);
  assert.deepEqual(links("*https://a.example*"), ["https://a.example/"]);
});

const hostile: string[] = [
  "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\nscript:alert(1)", "data:text/html,<script>alert(1)</script>",
  "vbscript:x", "file:///etc/passwd", "about:blank", "ftp://a.example", "intent://x",
  "httpss://a.example", "xhttps://a.example", "https:/", "https://", "https://.", "https:// a.example", "http:a",
  "https://bank.example@evil.example/", "https://user:pw@evil.example", "https://%zz", "https://[::1", "mailto:", "xmpp:",
  "xmpp:javascript", "mailto:?subject=x", "<img src=x onerror=alert(1)>", '<a href="javascript:alert(1)">x</a>',
  `https://a.example/${"x".repeat(3000)}`,
];

for (const text of hostile) {
  test(`no link: ${JSON.stringify(text).slice(0, 60)}`, () => {
    assert.deepEqual(linkify(text), [text]);
  });
}

test("a link ends at quotes, angle brackets and characters nobody sees", () => {
  assert.deepEqual(links('<a href="https://a.example/x" onclick=1>'), ["https://a.example/x"]);
  assert.deepEqual(links("https://a.example/\u202egpj.exe"), ["https://a.example/"]);
  assert.deepEqual(links("https://a.example/\u200b.evil.example"), ["https://a.example/"]);
  assert.deepEqual(links("https://a.example\u2066@evil"), ["https://a.example/"]);
  assert.deepEqual(links("https://a.example/\u0000x"), ["https://a.example/"]);
});

test("what comes out joined is what went in, and every link has a known scheme", () => {
  const parts = ["https://", "http://a.example", "xmpp:", "a@b", "(", ")", ".", " ", "\n", "<", '"', "\u202e", "\ud800", "😀", "javascript:", "@", "%", "[", "عربي"];
  let seed = 7;
  const next = (): number => (seed = (seed * 48271) % 2147483647);
  for (let round = 0; round < 5000; round++) {
    let text = "";
    for (let n = next() % 12; n >= 0; n--) text += parts[next() % parts.length] ?? "";
    const pieces = linkify(text);
    assert.equal(joined(pieces), text);
    for (const href of links(text)) assert.match(href, /^(https?:\/\/[^@]+$|https?:\/\/[^/@]+\/|xmpp:|mailto:)/);
  }
});

test("a long hostile text takes no time", () => {
  const before = process.hrtime.bigint();
  for (const unit of ["https://", "https://a.example/(", "xmpp:", ")))))", "https://a.example)))) "]) linkify(unit.repeat(20_000));
  assert.ok(process.hrtime.bigint() - before < 2_000_000_000n);
});
