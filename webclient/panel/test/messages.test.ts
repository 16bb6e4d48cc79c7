/** Order and identity of messages. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Conversation, DeliveryState } from "../src/state.ts";
import { addMessages, firstUnread, newConversation, type NewMessage, newestArchived, removeMessage, rows, setDelivery, setDisplayed, setFailed, setGap } from "../src/state/messages.ts";

let keys = 0;

function theirs(body: string, stanzaId = "", id = ""): NewMessage {
  return { key: `k${++keys}`, id, stanzaId, mine: false, body, at: 1000 + keys, state: "sent", wantsReceipt: false, markable: false };
}

function mine(body: string, id: string, state: DeliveryState = "sent", stanzaId = ""): NewMessage {
  return { ...theirs(body, stanzaId, id), mine: true, state };
}

function of(...messages: NewMessage[]): Conversation {
  return addMessages(newConversation("bob@x"), messages, "end").conversation;
}

const bodies = (c: Conversation): string[] => c.messages.map((m) => m.body);

describe("identity", () => {
  it("is the archive id, whatever way a message came", () => {
    const c = of(theirs("a", "s1", "i1"));
    const r = addMessages(c, [theirs("a", "s1", "i1"), theirs("a", "s1")], "end");
    assert.equal(r.conversation, c);
    assert.deepEqual(r.added, []);
  });
  it("is our own id, and the archive teaches its id and time", () => {
    const c = of(mine("a", "i1", "sending"));
    const r = addMessages(c, [{ ...mine("a", "i1", "sent", "s1"), at: 5 }], "caught-up").conversation;
    assert.equal(r.messages.length, 1);
    assert.deepEqual([r.messages[0]?.stanzaId, r.messages[0]?.state, r.messages[0]?.at], ["s1", "sent", 5]);
    assert.equal(r.messages[0]?.key, c.messages[0]?.key);
  });
  it("is the sender's id with the same text: a repetition after a lost acknowledgement", () => {
    assert.deepEqual(bodies(addMessages(of(theirs("a", "s1", "i1")), [theirs("a", "s2", "i1")], "end").conversation), ["a"]);
  });
  it("is not an id reused for another text, nor one that somebody else used", () => {
    const c = addMessages(of(theirs("a", "s1", "i1")), [theirs("b", "s2", "i1"), mine("a", "i1")], "end").conversation;
    assert.deepEqual(bodies(c), ["a", "b", "a"]);
  });
  it("is not the absence of ids", () => {
    assert.deepEqual(bodies(of(theirs("a"), theirs("a"))), ["a", "a"]);
  });
  it("holds within one page too", () => assert.equal(of(theirs("a", "s1"), theirs("a", "s1")).messages.length, 1));
  it("does not take a receipt back when the archive shows the message again", () => {
    const c = setDelivery(of(mine("a", "i1", "sending")), "i1", "delivered");
    assert.equal(addMessages(c, [mine("a", "i1", "sent", "s1")], "caught-up").conversation.messages[0]?.state, "delivered");
  });
});

describe("order", () => {
  it("puts what was missed before own messages that still wait", () => {
    const c = of(theirs("1", "s1"), mine("3", "i3", "queued"), mine("4", "i4", "sending"));
    assert.deepEqual(bodies(addMessages(c, [theirs("2", "s2")], "caught-up").conversation), ["1", "2", "3", "4"]);
  });
  it("puts older pages first and gap pages above their message", () => {
    const c = of(theirs("5", "s5"), theirs("9", "s9"));
    const key = c.messages[1]?.key ?? "";
    const filled = addMessages(c, [theirs("5", "s5"), theirs("7", "s7"), theirs("8", "s8")], { before: key }).conversation;
    assert.deepEqual(bodies(addMessages(filled, [theirs("3"), theirs("4")], "start").conversation), ["3", "4", "5", "7", "8", "9"]);
  });
  it("does not depend on clocks", () => {
    const c = of({ ...theirs("now", "s1"), at: 2_000_000 });
    assert.deepEqual(bodies(addMessages(c, [{ ...theirs("later", "s2"), at: 1 }], "end").conversation), ["now", "later"]);
  });
  it("survives any interleaving of page and live without loss or double", () => {
    const all = Array.from({ length: 30 }, (_, i) => theirs(String(i), `s${i}`));
    for (let cut = 0; cut <= 30; cut++) {
      for (const overlap of [0, 3, 30]) {
        const live = addMessages(newConversation("bob@x"), all.slice(cut), "end").conversation;
        const page = addMessages(live, all.slice(0, Math.min(30, cut + overlap)), "start").conversation;
        assert.deepEqual(bodies(page), all.map((m) => m.body));
      }
    }
  });
});

describe("delivery", () => {
  it("only ever gets further", () => {
    const states: DeliveryState[] = ["queued", "sending", "sent", "delivered", "read", "failed"];
    states.forEach((from, i) => states.forEach((to, j) => {
      const c = setDelivery(of(mine("a", "i1", from)), "i1", to);
      assert.equal(c.messages[0]?.state, j > i ? to : from);
    }));
  });
  it("marks everything above a displayed message as read, but not what failed or waits", () => {
    const c = of(mine("a", "1"), mine("b", "2", "failed"), theirs("x"), mine("c", "3"), mine("d", "4"));
    assert.deepEqual(setDisplayed(c, "3").messages.map((m) => m.state), ["read", "failed", "sent", "read", "sent"]);
    assert.equal(setDisplayed(c, "unknown"), c);
  });
  it("fails with a reason, unless the other side already confirmed", () => {
    assert.deepEqual(setFailed(of(mine("a", "1", "sending")), "1", "no").messages.map((m) => [m.state, m.error]), [["failed", "no"]]);
    assert.equal(setFailed(of(mine("a", "1", "delivered")), "1", "no").messages[0]?.state, "delivered");
    assert.equal(setFailed(of(theirs("a", "", "1")), "1", "no").messages[0]?.state, "sent");
  });
  it("forgets a removed message", () => {
    const c = of(mine("a", "1"));
    assert.deepEqual(bodies(removeMessage(c, c.messages[0]?.key ?? "")), []);
    assert.equal(removeMessage(c, "nope"), c);
  });
});

describe("rows", () => {
  const day = (at: number): string => String(Math.floor(at / 100));
  it("separates days and marks gaps and what is new", () => {
    const c0 = of({ ...theirs("a", "s1"), at: 10 }, { ...theirs("b", "s2"), at: 90 }, { ...theirs("c", "s3"), at: 110 });
    const [, b, c] = c0.messages;
    const marked = { ...setGap(c0, c?.key ?? "", true), unread: 0, firstUnread: b?.key ?? "" };
    assert.deepEqual(rows(marked, day).map((r) => r.kind), ["day", "message", "new", "message", "gap", "day", "message"]);
    const all = rows(marked, day).map((r) => r.key);
    assert.equal(new Set(all).size, all.length);
  });
  it("finds the first unread message, also when not all are loaded", () => {
    const c = of(theirs("a"), mine("b", "1"), theirs("c"), theirs("d"));
    const at = (unread: number): string => c.messages.find((m) => m.key === firstUnread({ ...c, unread }))?.body ?? "";
    assert.deepEqual([at(0), at(1), at(2), at(3), at(9)], ["", "d", "c", "a", "a"]);
    assert.equal(newestArchived(of(theirs("a", "s1"), theirs("b"))), "s1");
  });
});
