/** Device passwords: what the server's answers mean, what the page does with them, and that a secret does not stay. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Api, type Json } from "../src/api.ts";
import { lastly, type Login, loginOf, readListing, readMade, wrongName } from "../src/devices/devices.ts";
import { Keeper, type State } from "../src/devices/keeper.ts";
import { filled, guess, guides, stepsFor } from "../src/views/devices/guides.ts";
import { ago, lastUse } from "../src/views/devices/words.ts";
import { FakeEnv, json } from "./fakes/env.ts";
import { FakePanel } from "./fakes/panel.ts";

const SECRET = "tld-abcd-efgh-2345-ijkl-mnop-67qr";
const PATH = "/api/v1/devices";
const device = (id: string, more: Json = {}): Json => ({
  id, name: `Device ${id}`, service: "xmpp", login: "alice@social.example", created_at: "2026-11-01T10:00:00Z", last_used_at: null, last_used_from: "",
  last_used_by: "", stale: false, ...more,
});
const listing = (...devices: Json[]): Json => ({ devices, limit: 50, services: [{ service: "xmpp" }, { service: "sip", server: "social.example" }] });
const qr = { text: "xmpp:alice@social.example", size: 21, rows: Array.from({ length: 21 }, () => "10".repeat(10) + "1") };

/** A page, the server behind it, and everything it was in. */
function page(devices: Json[] = [device("a"), device("b")]) {
  const env = new FakeEnv();
  const states: State[] = [];
  const told: string[] = [];
  const keeper = new Keeper(new Api(env).ask, env.now, { changed: (s) => states.push(s), tell: (t) => told.push(t) });
  let rows = devices;
  env.routes.set(`GET ${PATH}`, () => json(listing(...rows)));
  env.routes.set(`POST ${PATH}`, (body) => {
    const made = device("new", body as Json);
    rows = [made, ...rows];
    return json({ device: made, secret: SECRET, login: "alice@social.example", server: "social.example", qr }, 201);
  });
  for (const { id } of devices) env.routes.set(`DELETE ${PATH}/${String(id)}`, () => json(null, 204));
  const names = (): string[] => keeper.state.listing?.devices.map((d) => d.id) ?? [];
  const fill = (name: string): void => {
    keeper.begin();
    keeper.edit({ name });
  };
  return { env, states, told, keeper, names, fill };
}

describe("the list as the server tells it", () => {
  it("is read", () => {
    const l = readListing(listing(device("a", { service: "sip", login: "alice-x7k2p", last_used_at: "2026-11-02T10:00:00Z", last_used_from: "203.0.113.0/24", last_used_by: "sip", stale: true })));
    assert.deepEqual(l?.devices, [{
      id: "a", name: "Device a", service: "sip", login: "alice-x7k2p", createdAt: Date.UTC(2026, 10, 1, 10), lastUsedAt: Date.UTC(2026, 10, 2, 10),
      lastUsedFrom: "203.0.113.0/24", lastUsedBy: "sip", stale: true,
    }]);
    assert.deepEqual([l.limit, l.services], [50, [{ service: "xmpp", server: "" }, { service: "sip", server: "social.example" }]]);
  });
  it("leaves out what makes no sense, and is nothing at all where nothing does", () => {
    assert.deepEqual(readListing(listing(device(""), device("x", { service: "fax" }), { id: 7 }, device("a")))?.devices.map((d) => d.id), ["a"]);
    for (const bad of [{}, { devices: [] }, { devices: [], services: [] }, { devices: "none", services: [{ service: "xmpp" }] }, { devices: [], services: [{ service: "fax" }] }]) {
      assert.equal(readListing(bad), null, JSON.stringify(bad));
    }
  });
});

describe("a new password as the server tells it", () => {
  it("needs a device and a secret; a picture that is no square of modules is left out", () => {
    assert.equal(readMade({ device: device("a") }), null);
    assert.equal(readMade({ secret: SECRET }), null);
    assert.equal(readMade({ device: device("a"), secret: SECRET, qr })?.qr?.rows.length, 21);
    for (const rows of [[], ["1"], qr.rows.slice(1), [...qr.rows.slice(1), "2".repeat(21)], Array.from({ length: 300 }, () => "1".repeat(300))]) {
      assert.equal(readMade({ device: device("a"), secret: SECRET, qr: { ...qr, rows } })?.qr, null);
    }
  });
  it("says what to type: the SIP address is the server's word", () => {
    const made = (service: string, login: string, text: string) => {
      const m = readMade({ device: device("a", { service, login }), secret: SECRET, server: "sip.example", qr: { ...qr, text } });
      assert.ok(m);
      return m;
    };
    const chat = loginOf(made("xmpp", "alice@social.example", "xmpp:alice@social.example"), "alice@social.example");
    assert.deepEqual(chat, { address: "alice@social.example", user: "alice", login: "alice@social.example", server: "sip.example" });
    const own = loginOf(made("sip", "alice-x7k2p", "sip:alice-x7k2p@sip.example"), "alice@social.example");
    assert.deepEqual(own, { address: "alice-x7k2p@sip.example", user: "alice-x7k2p", login: "alice-x7k2p", server: "sip.example" });
    const shared = loginOf(made("sip", "alice-x7k2p", "sip:alice@sip.example;transport=tls"), "alice@social.example");
    assert.deepEqual(shared, { address: "alice@sip.example", user: "alice", login: "alice-x7k2p", server: "sip.example" });
    assert.equal(loginOf({ ...made("sip", "alice-x7k2p", ""), qr: null }, "alice@social.example").address, "alice-x7k2p@sip.example");
    const linphone = guess("Linphone", "sip");
    assert.ok(linphone);
    assert.deepEqual([stepsFor(linphone, own).length, stepsFor(linphone, shared).length], [3, 4]);
    assert.doesNotMatch(stepsFor(linphone, own).join(), /\{login\}/);
  });
  it("has a name of 1 to 60 characters that can be shown", () => {
    assert.deepEqual(["", "  ", "x", "🎻".repeat(60), "🎻".repeat(61), "a\u0000b", " x "].map(wrongName), ["empty", "empty", "", "", "long", "control", ""]);
  });
});

describe("making a password", () => {
  it("sends the name and the service, shows the secret, and keeps it nowhere afterwards", async () => {
    const p = page();
    await p.keeper.load();
    p.fill("  Gajim at work ");
    await p.keeper.create();
    assert.deepEqual(p.env.bodies.at(-1), { name: "Gajim at work", service: "xmpp" });
    assert.deepEqual([p.keeper.state.view, p.keeper.state.made?.secret, p.names()], ["made", SECRET, ["new", "a", "b"]]);
    p.keeper.forget();
    assert.deepEqual([p.keeper.state.view, p.names()], ["list", ["new", "a", "b"]]);
    assert.doesNotMatch(JSON.stringify(p.keeper.state), /tld-/);
    p.keeper.stop();
    assert.deepEqual(p.told, [], "it was said to be saved");
    assert.doesNotMatch(JSON.stringify([p.env.requests, p.env.bodies, p.env.hostMessages, [...p.env.local.map], [...p.env.tab.map]]), /tld-/);
  });
  it("asks before the secret is left behind, and tells when it was left all the same", async () => {
    const p = page();
    await p.keeper.load();
    assert.equal(p.keeper.back(), false);
    p.fill("Gajim");
    await p.keeper.create();
    assert.equal(p.keeper.back(), true);
    assert.deepEqual([p.keeper.state.leaving, p.keeper.state.made?.secret], [true, SECRET]);
    p.keeper.stay();
    assert.equal(p.keeper.state.leaving, false);
    p.keeper.stop();
    assert.equal(p.told.length, 1);
    assert.match(p.told[0] ?? "", /“Gajim”.*remove/);
    assert.doesNotMatch(JSON.stringify([p.keeper.state, p.told]), /tld-/);
  });
  it("takes no secret in after the page was left", async () => {
    const p = page();
    await p.keeper.load();
    p.fill("Gajim");
    const creating = p.keeper.create();
    p.keeper.stop();
    const before = p.states.length;
    await creating;
    assert.equal(p.states.length, before);
    assert.doesNotMatch(JSON.stringify([p.keeper.state, p.told]), /tld-/);
    assert.match(p.told[0] ?? "", /“Gajim” was made.*Remove it/);
  });
  it("sends nothing without a name, and once at a time", async () => {
    const p = page();
    await p.keeper.load();
    p.fill(" ");
    await p.keeper.create();
    p.keeper.edit({ name: "x" });
    await Promise.all([p.keeper.create(), p.keeper.create()]);
    assert.deepEqual(p.env.requests, [`GET ${PATH}`, `POST ${PATH}`]);
  });
  const failures: [name: string, answer: ReturnType<typeof json>, says: RegExp, wait: number, asksAgain: boolean][] = [
    ["too fast", json({ error: "rate_limited", message: "", retry_after: 75 }, 429), /a lot in a short time/, 75_000, false],
    ["too fast, no time named", json({ error: "rate_limited" }, 429), /a lot in a short time/, 60_000, false],
    ["too many", json({ error: "too_many_devices" }, 409), /as many device passwords/, 0, true],
    ["a bad name", json({ error: "bad_name" }, 422), /name cannot be used/, 0, false],
    ["no such service", json({ error: "bad_service" }, 422), /not offer this/, 0, true],
    ["no answer", { status: 0, json: null, retryAfter: 0 }, /No answer came.*“Gajim”/, 0, true],
    ["a broken server", json(null, 502), /No answer came/, 0, true],
    ["Mastodon being down, before anything was made", json({ error: "mastodon_down", message: "Mastodon is away." }, 503, 30), /Mastodon is away/, 30_000, false],
    ["a broken server that says so", json({ error: "internal", message: "Something went wrong." }, 500), /No answer came/, 0, true],
    ["another reason", json({ error: "odd", message: "The moon is wrong." }, 422), /The moon is wrong/, 0, false],
    ["an answer without a secret", json({ device: device("x") }, 201), /No answer came/, 0, true],
  ];
  for (const [name, answer, says, wait, asksAgain] of failures) {
    it(`tells of ${name}`, async () => {
      const p = page();
      await p.keeper.load();
      p.env.routes.set(`POST ${PATH}`, () => answer);
      p.fill("Gajim");
      await p.keeper.create();
      const { trouble, view, busy, name: kept } = p.keeper.state;
      assert.deepEqual([view, busy, kept, trouble?.until], ["form", false, "Gajim", wait ? p.env.time + wait : 0]);
      assert.match(trouble?.text ?? "", says);
      assert.equal(p.env.requests.length, asksAgain ? 3 : 2);
      p.keeper.edit({ name: "Dino" });
      assert.equal(p.keeper.state.trouble !== null, wait > 0, "a wait stays told, what else was wrong is mended");
    });
  }
});

describe("removing a password", () => {
  it("asks first, then asks the server, then says what that means", async () => {
    const p = page();
    await p.keeper.load();
    p.keeper.askToRemove("a");
    assert.deepEqual(p.env.requests, [`GET ${PATH}`]);
    p.keeper.askToRemove("");
    await p.keeper.remove();
    assert.deepEqual(p.env.requests, [`GET ${PATH}`]);
    p.keeper.askToRemove("a");
    await p.keeper.remove();
    assert.deepEqual([p.env.requests.at(-1), p.names(), p.keeper.state.asked], [`DELETE ${PATH}/a`, ["b"], ""]);
    assert.match(p.keeper.state.said, /“Device a” is removed.*signed out/);
  });
  it("is content when it was gone before", async () => {
    const p = page();
    await p.keeper.load();
    p.env.routes.set(`DELETE ${PATH}/a`, () => json({ error: "not_found" }, 404));
    p.keeper.askToRemove("a");
    await p.keeper.remove();
    assert.deepEqual([p.names(), p.keeper.state.trouble], [["b"], null]);
  });
  it("keeps it in the list when nobody knows whether it is gone", async () => {
    const p = page();
    await p.keeper.load();
    p.env.routes.set(`DELETE ${PATH}/a`, () => json(null, 500));
    p.keeper.askToRemove("a");
    await p.keeper.remove();
    assert.deepEqual([p.names(), p.keeper.state.asked, p.keeper.state.busy], [["a", "b"], "a", false]);
    assert.match(p.keeper.state.trouble?.text ?? "", /may still work/);
  });
});

describe("getting the list", () => {
  it("tells a server without device passwords from one that does not answer, and tries again", async () => {
    const p = page();
    p.env.routes.delete(`GET ${PATH}`);
    await p.keeper.load();
    assert.equal(p.keeper.state.loading, "failed", "a 404 that is not the API's own");
    for (const error of ["not_available", "not_found"]) { // the second is what a server says that knows nothing of them yet
      p.env.routes.set(`GET ${PATH}`, () => json({ error }, 404));
      await p.keeper.load();
      assert.equal(p.keeper.state.loading, "unavailable");
    }
    p.env.routes.set(`GET ${PATH}`, () => json(listing(device("a"))));
    await p.keeper.load();
    assert.deepEqual([p.keeper.state.loading, p.names()], ["done", ["a"]]);
  });
  it("signs out whom the server takes for signed out", async () => {
    for (const code of ["signed_out", "login_again"]) {
      const p = await new FakePanel().start();
      p.app.actions.go("devices");
      assert.equal(p.state.screen.kind, "devices");
      p.env.routes.set(`GET ${PATH}`, () => json({ error: code, message: "" }, 401));
      const r = await p.app.actions.ask("GET", PATH, readListing);
      assert.equal(r.ok, false);
      assert.equal(p.state.screen.kind, "signed-out");
      p.app.actions.tell("The password of “Gajim” …");
      assert.equal(p.state.notice, "", "nobody reads there what belongs to somebody");
    }
  });
});

describe("what is said of a device", () => {
  const now = Date.UTC(2026, 10, 20, 12);
  const past = (ms: number): string => ago(now - ms, now);
  const [hour, day] = [3_600_000, 86_400_000];
  it("is coarse", () => {
    assert.deepEqual([-day, 0, hour - 1, hour, 23 * hour, day, 2 * day, 59 * day, 60 * day, 729 * day, 730 * day].map(past), [
      "less than an hour ago", "less than an hour ago", "less than an hour ago", "1 hour ago", "23 hours ago", "yesterday", "2 days ago", "59 days ago",
      "2 months ago", "24 months ago", "2 years ago",
    ]);
    const d = readListing(listing(device("a", { last_used_at: new Date(now - 3 * day).toISOString(), last_used_from: "203.0.113.0/24", last_used_by: "prosody" })))?.devices[0];
    assert.ok(d);
    assert.equal(lastUse(d, now), "Last used 3 days ago from 203.0.113.0/24, at the chat server");
    assert.equal(lastUse({ ...d, lastUsedFrom: "", lastUsedBy: "a door of tomorrow" }, now), "Last used 3 days ago");
    assert.equal(lastUse({ ...d, lastUsedAt: 0 }, now), "Never used");
    assert.equal(lastUse({ ...d, lastUsedAt: 0, service: "sip" }, now), "When a phone was last used is not known");
    assert.match(lastly(d), /signed out within seconds/);
    assert.match(lastly({ ...d, service: "sip" }), /five minutes/);
  });
  it("has a guide for every app of the list, with nothing left to fill in", () => {
    const values: Login = { address: "ADDRESS", user: "USER", login: "LOGIN", server: "SERVER" };
    assert.deepEqual(guides.map((g) => g.app), ["Conversations", "Monal", "Dino", "Gajim", "Cheogram", "Another app", "Linphone", "Baresip", "Another phone"]);
    for (const guide of guides) {
      const text = [...guide.steps, guide.line ?? ""].map((step) => filled(step, values).join("")).join("\n");
      assert.doesNotMatch(text, /[{}]/, guide.app);
      assert.match(text, guide.service === "sip" ? /LOGIN/ : /ADDRESS/, guide.app);
      assert.match(text, /password/i, guide.app);
    }
  });
  it("finds the guide that the name speaks of, but not of another service", () => {
    assert.deepEqual(["my GAJIM", "Linphone", "x"].map((name) => guess(name, "xmpp")?.app), ["Gajim", "Conversations", "Conversations"]);
    assert.deepEqual(["my baresip", "Gajim"].map((name) => guess(name, "sip")?.app), ["Baresip", "Linphone"]);
  });
});
