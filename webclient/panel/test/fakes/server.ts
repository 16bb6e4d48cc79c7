/**
 * An XMPP server as one account's client sees it: roster, archive, carbons, privacy lists, and a stream that can be cut
 * and resumed. It stands at the Transport interface and records every stanza in order.
 */
import type { CloseReason, Hidden, Login, ResumeStore, Transport, TransportEvents } from "../../src/transport.ts";
import { NS } from "../../src/xmpp/ns.ts";
import { attr, child, children, h, text, type Xml } from "../../src/xmpp/xml.ts";

export const OWN = "alice@social.example";

interface Archived {
  readonly id: string;
  readonly peer: string;
  readonly message: Xml;
}

export class FakeServer {
  readonly archive: Archived[] = [];
  readonly roster: Xml[] = [];
  /** Everything the client sent, over all streams. */
  readonly received: Xml[] = [];
  readonly logins: Login[] = [];
  hidden: Hidden = null;
  privacyLists = true;
  mam = true;
  /** Next streams resume the previous session. */
  resumable = false;
  /** Swallow messages: "before" the server saw them, or "after" it archived them, without acknowledging. */
  swallow: "no" | "before" | "after" = "no";
  /** Cut the stream in place of answering this question, once; a resumption brings the answer. */
  cutIf: (question: Xml) => boolean = () => false;
  /** Answer no questions. */
  silent = false;
  /** Ends of log() lines of questions that are answered by an error. */
  refused: readonly string[] = [];
  refusal = "not-allowed";
  stream: FakeTransport | null = null;
  #ids = 0;
  #archived = 0;
  #queued: Xml[] = [];
  #unacked: string[] = [];

  transport = (store: ResumeStore): Transport => new FakeTransport(this, store);

  /** Stanzas sent by the client, as `name` or `name:payload`, for comparing order. */
  log(): string[] {
    return this.received.map((x) => {
      const payload = children(x)[0];
      const type = attr(x, "type");
      return [x.name + (type ? `[${type}]` : ""), payload && payload.name, payload && children(payload)[0]?.name].filter(Boolean).join(">");
    });
  }

  messages(): Xml[] {
    return this.received.filter((x) => x.name === "message" && child(x, "body"));
  }

  /** A message from a person arrives: archived, and delivered live when a stream is up. Returns its archive id. */
  say(peer: string, body: string, id = `m${++this.#ids}`, ...extra: Xml[]): string {
    const archiveId = this.store(peer, peer, body, id, extra);
    const m = h("message", { xmlns: NS.CLIENT, type: "chat", from: `${peer}/r`, to: OWN, id }, h("body", {}, body),
      h("stanza-id", { xmlns: NS.SID, by: OWN, id: archiveId }), ...extra);
    this.deliver(m);
    return archiveId;
  }

  /** Archives without delivering. */
  store(peer: string, from: string, body: string, id: string, extra: readonly Xml[] = []): string {
    const archiveId = `s${String(++this.#archived).padStart(5, "0")}`;
    const to = from === OWN ? peer : OWN;
    this.archive.push({ id: archiveId, peer, message: h("message", { xmlns: NS.CLIENT, type: "chat", from, to, id }, h("body", {}, body), ...extra) });
    return archiveId;
  }

  /** Gives a stanza to the client, now or at the resumption. */
  deliver(x: Xml): void {
    if (this.stream?.on) this.stream.on.stanza(x);
    else if (this.resumable) this.#queued.push(x);
  }

  cut(reason: CloseReason = "lost"): void {
    const on = this.stream?.on;
    if (this.stream) this.stream.on = null;
    on?.closed(reason);
  }

  connected(t: FakeTransport, login: Login): void {
    this.logins.push(login);
    this.stream = t;
    const resumed = this.resumable && t.hadSession();
    if (!resumed) this.#unacked = [];
    t.on?.online({ jid: `${OWN}/tab`, resumed, hidden: this.hidden, unacked: resumed ? this.#unacked : [] });
    const again = this.#queued;
    this.#queued = [];
    if (resumed) for (const x of again) t.on?.stanza(x);
  }

  take(x: Xml): void {
    this.received.push(x);
    if (x.name === "iq" && attr(x, "type") !== "result" && attr(x, "type") !== "error") return this.#answer(x);
    if (x.name !== "message") return;
    const id = attr(x, "id");
    if (this.swallow === "before") return;
    if (child(x, "body")) this.store(attr(x, "to"), OWN, text(child(x, "body")), id);
    if (this.swallow === "after") return;
    this.stream?.on?.acked([id]);
  }

  #answer(iq: Xml): void {
    const payload = children(iq)[0];
    const reply = (type: string, ...c: Xml[]): void => {
      const answer = h("iq", { xmlns: NS.CLIENT, type, id: attr(iq, "id"), from: OWN }, ...c);
      const on = this.stream?.on;
      queueMicrotask(() => this.stream?.on === on && on?.stanza(answer));
    };
    const error = (condition: string): void => reply("error", h("error", { type: "cancel" }, h(condition, { xmlns: NS.STANZAS })));
    if (this.silent) return;
    if (this.cutIf(iq)) {
      this.cutIf = () => false;
      this.#queued.push(h("iq", { xmlns: NS.CLIENT, type: "result", id: attr(iq, "id"), from: OWN }));
      queueMicrotask(() => this.cut());
    } else if (this.refused.some((name) => this.log().at(-1)?.endsWith(name))) error(this.refusal);
    else if (payload?.ns === NS.ROSTER) reply("result", h("query", { xmlns: NS.ROSTER }, ...this.roster));
    else if (payload?.ns === NS.MAM) this.#page(payload, reply, error);
    else if (payload?.ns === NS.PRIVACY && !this.privacyLists) error("service-unavailable");
    else reply("result");
  }

  #page(query: Xml, reply: (type: string, ...c: Xml[]) => void, error: (condition: string) => void): void {
    if (!this.mam) return error("service-unavailable");
    const fields = children(child(query, "x") as Xml, "field");
    const peer = text(child(fields.find((f) => attr(f, "var") === "with"), "value"));
    const set = child(query, "set");
    const [after, before] = [child(set, "after"), child(set, "before")];
    const max = Number(text(child(set, "max")));
    let all = this.archive.filter((a) => !peer || a.peer === peer);
    for (const edge of [text(after), text(before)]) if (edge && !this.archive.some((a) => a.id === edge)) return error("item-not-found");
    if (after) all = all.filter((a) => a.id > text(after));
    if (before && text(before)) all = all.filter((a) => a.id < text(before));
    const page = before ? all.slice(-max) : all.slice(0, max);
    const queryid = attr(query, "queryid") || (query.attrs["queryid"] ?? "");
    for (const a of page) this.stream?.on?.stanza(archived(a.id, queryid, a.message));
    const rsm = [h("first", {}, page[0]?.id ?? ""), h("last", {}, page.at(-1)?.id ?? "")];
    const complete = page.length === all.length ? "true" : undefined;
    reply("result", h("fin", { xmlns: NS.MAM, complete }, h("set", { xmlns: NS.RSM }, ...(page.length ? rsm : []))));
  }
}

export function archived(id: string, queryid: string, message: Xml, from = OWN): Xml {
  const stamp = h("delay", { xmlns: NS.DELAY, stamp: "2026-01-02T03:04:05Z" });
  return h("message", { xmlns: NS.CLIENT, from }, h("result", { xmlns: NS.MAM, id, queryid }, h("forwarded", { xmlns: NS.FORWARD }, stamp, message)));
}

export class FakeTransport implements Transport {
  on: TransportEvents | null = null;
  readonly #server: FakeServer;
  readonly #store: ResumeStore;

  constructor(server: FakeServer, store: ResumeStore) {
    this.#server = server;
    this.#store = store;
  }

  hadSession(): boolean {
    const had = this.#store.load() !== null;
    this.#store.save("session");
    return had;
  }

  connect(login: Login, on: TransportEvents): void {
    this.on = on;
    this.#server.connected(this, login);
  }

  send(x: Xml): void {
    if (this.on) this.#server.take(x);
  }

  probe(): void {
    // Always alive.
  }

  disconnect(): void {
    this.on = null;
    this.#store.clear();
  }

  drop(): void {
    this.on = null;
  }
}
