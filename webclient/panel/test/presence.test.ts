/** The walks between hidden and visible: the order is the promise. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamLost } from "../src/xmpp/iq.ts";
import { NS } from "../src/xmpp/ns.ts";
import { goHidden, goVisible, HIDDEN_LIST } from "../src/xmpp/presence.ts";
import { attr, child, children, h, type Xml } from "../src/xmpp/xml.ts";
import { FakePanel } from "./fakes/panel.ts";

/** Records what is sent; questions are answered one by one by the test. */
class Recorder {
  readonly sent: string[] = [];
  #answer: ((x: Xml) => void) | null = null;
  send = (x: Xml): void => void this.sent.push(`presence ${attr(x, "type") || "available"}`);
  ask = (iq: Xml): Promise<Xml> => {
    const payload = children(child(iq, "query", NS.PRIVACY) as Xml)[0];
    this.sent.push(`${payload?.name} ${attr(payload, "name")}`.trim());
    return new Promise((resolve) => (this.#answer = resolve));
  };
  async reply(type: string): Promise<void> {
    this.#answer?.(h("iq", { xmlns: NS.CLIENT, type }));
    for (let i = 0; i < 10; i++) await Promise.resolve();
  }
}

describe("going hidden", () => {
  it("is unavailable, list, active, presence, each after the answer to the one before", async () => {
    const w = new Recorder();
    const done = goHidden(w);
    assert.deepEqual(w.sent, ["presence unavailable", `list ${HIDDEN_LIST}`]);
    await w.reply("result");
    assert.deepEqual(w.sent.slice(2), [`active ${HIDDEN_LIST}`]);
    await w.reply("result");
    assert.deepEqual(w.sent.slice(3), ["presence available"]);
    assert.equal(await done, "live");
  });
  it("stays away where there are no privacy lists", async () => {
    for (const results of [["error"], ["result", "error"]]) {
      const w = new Recorder();
      const done = goHidden(w);
      for (const r of results) await w.reply(r);
      assert.equal(await done, "archive");
      assert.ok(!w.sent.includes("presence available"));
    }
  });
  it("shows no presence when the stream is lost on the way", async () => {
    const sent: Xml[] = [];
    await assert.rejects(goHidden({ send: (x) => void sent.push(x), ask: () => Promise.reject(new StreamLost()) }), StreamLost);
    assert.deepEqual(sent.map((x) => attr(x, "type")), ["unavailable"]);
  });
});

describe("going visible", () => {
  it("declines the list first", async () => {
    const w = new Recorder();
    const done = goVisible(w, true);
    assert.deepEqual(w.sent, ["active"]);
    await w.reply("result");
    await done;
    assert.deepEqual(w.sent, ["active", "presence available"]);
  });
  it("is only presence where no list was active", async () => {
    const w = new Recorder();
    await goVisible(w, false);
    assert.deepEqual(w.sent, ["presence available"]);
  });
});

describe("own presence at sign-in", () => {
  const presences = (p: FakePanel): string[] => p.server.received.filter((x) => x.name === "presence").map((x) => attr(x, "type"));

  it("goes out when visible", async () => assert.deepEqual(presences(await new FakePanel().start()), [""]));
  it("goes out behind an active list", async () => {
    const p = new FakePanel();
    p.consent.presence = "nobody";
    p.server.hidden = "live";
    await p.start();
    assert.deepEqual(presences(p), [""]);
    assert.equal(p.state.delivery, "live");
  });
  it("stays back without lists, and without a word from the gateway", async () => {
    for (const hidden of ["archive", null] as const) {
      const p = new FakePanel();
      p.consent.presence = "nobody";
      p.server.hidden = hidden;
      await p.start();
      assert.deepEqual(presences(p), []);
      assert.equal(p.state.delivery, "archive");
    }
  });
  it("walks when consent changes, both ways, and saves before it walks", async () => {
    const p = await new FakePanel().start();
    p.server.received.length = 0;
    const choose = async (presence: "nobody" | "contacts"): Promise<string[]> => {
      p.server.received.length = 0;
      p.app.actions.go("settings");
      p.app.actions.draftConsent({ presence });
      p.app.actions.saveConsent();
      assert.deepEqual(p.server.received, [], "nothing before the server knows");
      await p.env.advance(100);
      return p.server.log().filter((l) => !l.includes("query>x"));
    };
    assert.deepEqual(await choose("nobody"), ["presence[unavailable]", "iq[set]>query>list", "iq[set]>query>active", "presence"]);
    assert.deepEqual(await choose("contacts"), ["iq[set]>query>active", "presence"]);
    assert.deepEqual(await choose("contacts"), []);
    p.server.privacyLists = false;
    assert.deepEqual(await choose("nobody"), ["presence[unavailable]", "iq[set]>query>list"]);
    assert.equal(p.state.delivery, "archive");
    assert.deepEqual(await choose("contacts"), ["presence"]);
    assert.equal(p.state.delivery, "live");
  });
});
