/** Contacts, presences, the people list, and the people step. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Follow, initialState, NO_PEOPLE } from "../src/state.ts";
import { addRequest, applyPresence, applyRoster, peopleList, type Presences, removeRequest, setPresence, totalUnread } from "../src/state/contacts.ts";
import { newConversation } from "../src/state/messages.ts";
import { addItem, addPage, matching, select, tickSubscribe } from "../src/state/people.ts";

const item = (jid: string, subscription: "none" | "to" | "from" | "both" | "remove", name = "") => ({ jid, name, subscription, asked: false, groups: [] });
const nobody: Presences = new Map();

describe("presence", () => {
  it("is shown only of people who let us see it", () => {
    const p = setPresence(nobody, "a@x", "r", "online");
    const contacts = (["none", "from", "to", "both"] as const).map((s) =>
      applyRoster(new Map(), [item("a@x", s)], { presences: p, avatars: {}, replace: true }).get("a@x")?.availability);
    assert.deepEqual(contacts, ["unknown", "unknown", "online", "online"]);
  });
  it("is the best of all devices, and offline when the last one leaves", () => {
    let p = setPresence(setPresence(nobody, "a@x", "1", "away"), "a@x", "2", "online");
    let c = applyRoster(new Map(), [item("a@x", "both")], { presences: p, avatars: {}, replace: true });
    assert.equal(c.get("a@x")?.availability, "online");
    p = setPresence(p, "a@x", "2", "offline");
    c = applyPresence(c, "a@x", p);
    assert.equal(c.get("a@x")?.availability, "away");
    assert.equal(applyPresence(c, "a@x", p), c);
    p = setPresence(p, "a@x", "", "offline");
    assert.equal(applyPresence(c, "a@x", p).get("a@x")?.availability, "offline");
    assert.equal(p.size, 0);
  });
  it("of a stranger changes nothing", () => {
    const c = applyRoster(new Map(), [item("a@x", "both")], { presences: nobody, avatars: {}, replace: true });
    assert.equal(applyPresence(c, "eve@x", setPresence(nobody, "eve@x", "r", "online")), c);
  });
});

describe("roster", () => {
  it("pushes add, change and remove; a full roster replaces", () => {
    const context = { presences: nobody, avatars: { "b@x": "https://p/b.png" }, replace: false };
    let c = applyRoster(new Map(), [item("a@x", "both"), item("b@x", "none", "Bee")], context);
    assert.equal(c.get("b@x")?.avatar, "https://p/b.png");
    c = applyRoster(c, [item("a@x", "remove"), item("b@x", "to", "Bea")], context);
    assert.deepEqual([...c].map(([j, v]) => [j, v.name, v.subscription]), [["b@x", "Bea", "to"]]);
    assert.deepEqual([...applyRoster(c, [item("c@x", "none")], { ...context, replace: true }).keys()], ["c@x"]);
  });
  it("asks for one answer per person", () => {
    const r = addRequest(addRequest([], "a@x", 1), "a@x", 2);
    assert.deepEqual(r, [{ jid: "a@x", at: 1 }]);
    assert.deepEqual(removeRequest(r, "a@x"), []);
  });
});

describe("the people list", () => {
  const s = {
    ...initialState({ name: "", origin: "", domain: "" }),
    contacts: applyRoster(new Map(), [item("zoe@x", "both", "Zoe"), item("ann@x", "none", "ann"), item("bob@x", "none", "Bob")], { presences: nobody, avatars: {}, replace: true }),
    conversations: new Map([
      ["bob@x", { ...newConversation("bob@x"), lastAt: 5, unread: 2 }],
      ["old@y", { ...newConversation("old@y"), lastAt: 1, unread: 1 }],
    ]),
  };
  it("has newest conversations first, then contacts by name", () => {
    assert.deepEqual(peopleList(s).map((p) => p.jid), ["bob@x", "old@y", "ann@x", "zoe@x"]);
    assert.equal(totalUnread(s), 3);
  });
  it("searches names and addresses", () => {
    assert.deepEqual(peopleList({ ...s, query: " ZO" }).map((p) => p.jid), ["zoe@x"]);
    assert.deepEqual(peopleList({ ...s, query: "@y" }).map((p) => p.jid), ["old@y"]);
  });
});

describe("the people step", () => {
  const follow = (id: string, reach: Follow["reach"] = "local"): Follow =>
    ({ id, acct: `user${id}`, displayName: `Name ${id}`, avatar: "", url: "", jid: reach === "none" ? null : `u${id}@x`, reach });

  it("shows nobody twice though pages shift, and selects nobody by itself", () => {
    const p = addPage(addPage(NO_PEOPLE, [follow("1"), follow("2")], false), [follow("2"), follow("3"), follow("3")], true);
    assert.deepEqual(p.people.map((f) => f.id), ["1", "2", "3"]);
    assert.equal(p.status, "done");
    assert.equal(p.selected.size, 0);
  });
  it("selects only who can be reached; taking back the selection takes back the tick", () => {
    let p = select(addPage(NO_PEOPLE, [follow("1"), follow("2", "none")], true), ["1", "2", "9"], true);
    assert.deepEqual([...p.selected], ["1"]);
    assert.equal(tickSubscribe(p, "2", true), p);
    p = select(tickSubscribe(p, "1", true), ["1"], false);
    assert.deepEqual([p.selected.size, p.subscribe.size], [0, 0]);
  });
  it("searches names and handles", () => {
    const p = { ...addPage(NO_PEOPLE, [follow("1"), follow("2")], true), query: "@USER2" };
    assert.deepEqual(matching(p).map((f) => f.id), ["2"]);
  });
  it("counts an import's line once", () => {
    const progress = { id: "i", total: 2, done: 0, finished: false, items: [], error: "" };
    const line = { id: "1", jid: "a@x", name: "", status: "added" as const, reason: "" };
    const twice = addItem(addItem(progress, { ...line, name: "Ann" }, 1, 2), line, 1, 0);
    assert.deepEqual([twice.items.length, twice.items[0]?.name, twice.done, twice.total], [1, "Ann", 1, 2]);
  });
});
