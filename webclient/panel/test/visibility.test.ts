/** What is told to others while nobody sees this person: stepping out from behind the list, and back. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NS } from "../src/xmpp/ns.ts";
import { attr, child, children, h, type Xml } from "../src/xmpp/xml.ts";
import { FakeEnv } from "./fakes/env.ts";
import { BOB, FakePanel } from "./fakes/panel.ts";

const CAROL = "carol@social.example";

/** What was sent about presence and contacts, in order. */
function steps(p: FakePanel): string[] {
  return p.server.received.flatMap((x: Xml) => {
    if (x.name === "presence") return [`${attr(x, "type") || "available"}${attr(x, "to") ? ` ${attr(x, "to")}` : ""}`];
    const query = child(x, "query");
    const payload = query ? children(query)[0] : undefined;
    if (child(x, "query", NS.PRIVACY)) return [payload?.name === "active" && !attr(payload, "name") ? "decline" : payload?.name ?? ""];
    return child(x, "query", NS.ROSTER) && attr(x, "type") === "set" ? [`${attr(payload, "subscription")} ${attr(payload, "jid")}`] : [];
  });
}

async function hidden(delivery: "live" | "archive" = "live", p = new FakePanel()): Promise<FakePanel> {
  p.consent.presence = "nobody";
  p.server.hidden = delivery;
  p.server.resumable = true;
  await p.start();
  p.server.received.length = 0;
  return p;
}

const back = (...inside: string[]): string[] => ["unavailable", "decline", ...inside, "active", "available"];

describe("telling people something while hidden", () => {
  it("happens without presence and without the list, which then come back", async () => {
    const tell: [(p: FakePanel) => void, string][] = [
      [(p) => p.app.actions.askPresence(BOB), `subscribe ${BOB}`],
      [(p) => p.app.actions.declineRequest(CAROL), `unsubscribed ${CAROL}`],
      [(p) => p.app.actions.revokePresence(BOB), `unsubscribed ${BOB}`],
      [(p) => p.app.actions.removeContact(BOB), `remove ${BOB}`],
    ];
    for (const [act, said] of tell) {
      const p = await hidden();
      act(p);
      await p.env.advance(10);
      assert.deepEqual(steps(p), back(said));
      assert.equal(p.state.delivery, "live");
    }
  });
  it("is one walk at a time; what comes meanwhile is said on the next", async () => {
    const p = await hidden();
    p.app.actions.askPresence(BOB);
    p.app.actions.declineRequest(CAROL);
    p.app.actions.declineRequest(CAROL);
    p.app.actions.removeContact(BOB);
    await p.env.advance(10);
    assert.deepEqual(steps(p), [...back(`subscribe ${BOB}`), ...back(`unsubscribed ${CAROL}`, `remove ${BOB}`)]);
  });
  it("waits for a change of consent, and the other way round", async () => {
    const p = await hidden();
    p.app.actions.go("settings");
    p.app.actions.draftConsent({ presence: "contacts" });
    p.app.actions.saveConsent();
    p.app.actions.askPresence(BOB);
    await p.env.advance(10);
    assert.deepEqual(steps(p), [...back(`subscribe ${BOB}`), "decline", "available"]);
    p.server.received.length = 0;
    p.app.actions.draftConsent({ presence: "nobody" });
    p.app.actions.saveConsent();
    for (let i = 0; i < 40 && !p.server.received.length; i++) await Promise.resolve();
    p.app.actions.revokePresence(BOB);
    await p.env.advance(10);
    assert.deepEqual(steps(p), ["unavailable", "list", "active", "available", ...back(`unsubscribed ${BOB}`)]);
  });
  it("is simply said where no presence was sent, and by people who are seen", async () => {
    const p = await hidden("archive");
    p.app.actions.revokePresence(BOB);
    p.app.actions.askPresence(CAROL);
    await p.env.advance(10);
    assert.deepEqual(steps(p), [`unsubscribed ${BOB}`, `subscribe ${CAROL}`]);
    const seen = await new FakePanel().start();
    seen.server.received.length = 0;
    seen.app.actions.removeContact(BOB);
    await seen.env.advance(10);
    assert.deepEqual(steps(seen), [`remove ${BOB}`]);
  });
  it("fetches what was written meanwhile", async () => {
    const p = await hidden();
    p.app.actions.askPresence(BOB);
    p.server.store(BOB, BOB, "in between", "m-between", []);
    await p.env.advance(10);
    assert.deepEqual(p.bodies(), ["in between"]);
  });
  it("says nothing, stays hidden and says so when the list cannot be declined", async () => {
    const p = await hidden();
    p.server.refused = [">query>active"];
    p.app.actions.askPresence(BOB);
    await p.env.advance(10);
    assert.deepEqual(steps(p), ["unavailable", "decline", "available"]);
    assert.notEqual(p.state.notice, "");
  });
  it("tells when the server would not remove somebody, but not when they were gone already", async () => {
    const p = await hidden("archive");
    p.server.refused = [">query>item"];
    p.app.actions.removeContact(BOB);
    await p.env.advance(10);
    assert.notEqual(p.state.notice, "");
    p.app.actions.dismiss();
    p.server.refusal = "item-not-found";
    p.app.actions.removeContact(BOB);
    await p.env.advance(10);
    assert.equal(p.state.notice, "");
  });
});

describe("a stream that breaks in the middle", () => {
  const rest: Record<string, (resumed: boolean) => string[]> = {
    // before the list was declined for certain, and before it was active again
    decline: (resumed) => ["unavailable", "decline", ...(resumed ? ["unavailable", "list", "active", "available"] : ["available"]), ...back(`unsubscribed ${BOB}`)],
    active: (resumed) => ["unavailable", "decline", `unsubscribed ${BOB}`, "active", ...(resumed ? ["unavailable", "list", "active", "available"] : ["available"]), ...back(`unsubscribed ${BOB}`)],
  };
  for (const [at, expected] of Object.entries(rest)) {
    for (const resumed of [true, false]) {
      it(`at ${at}, ${resumed ? "resumed" : "bound anew"}: hidden first, then the rest`, async () => {
        const p = await hidden();
        p.server.resumable = resumed;
        let n = at === "decline" ? 1 : 2;
        p.server.cutIf = (x) => child(x, "query", NS.PRIVACY) !== null && --n === 0;
        p.app.actions.revokePresence(BOB);
        await p.env.advance(5_000);
        assert.equal(p.state.connection.kind, "online");
        assert.deepEqual(steps(p), expected(resumed));
        assert.equal(p.state.delivery, "live");
      });
    }
  }
  it("is picked up by the page that is loaded next", async () => {
    const p = await hidden();
    p.server.cutIf = (x) => child(x, "query", NS.PRIVACY) !== null;
    p.app.actions.revokePresence(BOB);
    await p.env.advance(0);
    assert.deepEqual(steps(p), ["unavailable", "decline"]);
    p.env.emit("pagehide");
    p.server.received.length = 0;
    const again = new FakePanel(p.server, new FakeEnv(p.env.local, p.env.tab));
    again.consent.presence = "nobody";
    await again.start();
    assert.deepEqual(again.state.connection, { kind: "online", resumed: true });
    assert.deepEqual(steps(again), ["unavailable", "list", "active", "available", ...back(`unsubscribed ${BOB}`)]);
    again.server.received.length = 0;
    again.server.cut();
    await again.env.advance(5_000);
    assert.deepEqual(steps(again), [], "nothing is said twice");
  });
  it("before anything is said: said when it is back", async () => {
    const p = await hidden();
    p.server.cut();
    p.app.actions.askPresence(BOB);
    p.app.actions.acceptRequest(CAROL);
    await p.env.advance(5_000);
    assert.deepEqual(steps(p), back(`subscribe ${BOB}`), "and what consent does not allow is not");
  });
  it("a server that does not answer is asked again", async () => {
    const p = await hidden();
    p.server.silent = true;
    p.app.actions.askPresence(BOB);
    await p.env.advance(31_000);
    p.server.silent = false;
    await p.env.advance(10_000);
    assert.deepEqual(steps(p), ["unavailable", "decline", "unavailable", "list", "active", "available", ...back(`subscribe ${BOB}`)]);
  });
});

describe("a contact that is removed", () => {
  it("leaves no empty conversation behind; one with messages stays", async () => {
    const p = await new FakePanel().start();
    p.app.actions.open(BOB);
    await p.env.advance(10);
    p.app.actions.removeContact(BOB);
    await p.env.advance(10);
    assert.deepEqual([p.state.screen.kind, p.state.conversations.size], ["list", 0]);
    p.server.say(CAROL, "hello");
    p.app.actions.removeContact(CAROL);
    assert.equal(p.state.conversations.size, 1);
    p.server.deliver(h("iq", { xmlns: NS.CLIENT, type: "set", id: "push" }, h("query", { xmlns: NS.ROSTER }, h("item", { jid: BOB, subscription: "remove" }))));
    await p.env.advance(100);
    assert.equal(p.state.contacts.size, 0);
  });
});
