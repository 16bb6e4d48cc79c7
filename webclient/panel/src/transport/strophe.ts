/**
 * The Transport over strophe.js. The only file that knows strophe.
 *
 * A new strophe connection is made for each stream. Four of its habits are changed here: only SASL PLAIN is offered
 * (the gateway offers nothing else); a stream error is only what is one, since strophe takes an element of that name
 * anywhere inside a contact's message for one; after a failed resumption it sends nothing again by itself; and
 * unanswered questions from other people are answered above, with an address.
 */
import { Strophe, type SMState, type SMStorageBackend } from "strophe.js";
import type { Env } from "../env.ts";
import type { CloseReason, Hidden, Login, ResumeStore, Transport, TransportEvents } from "../transport.ts";
import { isRecord } from "../storage.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, child, h, type Xml } from "../xmpp/xml.ts";
import { fromDom, toDom } from "./dom.ts";

const STREAM = "http://etherx.jabber.org/streams";
const STREAM_ERRORS = "urn:ietf:params:xml:ns:xmpp-streams";
const SM = "urn:xmpp:sm:3";
const BIND_ID = "_bind_auth_2"; // the id of strophe's bind request

const CONNECT_MS = 20_000; // socket, login and bind together
const SILENCE_MS = 45_000; // idle time after which a sign of life is asked for
const ANSWER_MS = 15_000; // how long it may take
const PROBE_MS = 5_000; // how long it may take when we have reason to doubt
const TICK_MS = 1_000;

type Connection = InstanceType<typeof Strophe.Connection>;

/** Members of strophe that its types hide or leave vague. */
interface Insides {
  _proto: { socket: WebSocket | null; _checkStreamError(wrap: Element, status: number): boolean };
  sm: { _pendingResend: SMState["unacked"]; onFailed(view: unknown, resumeFailed: boolean): void; isTracking(): boolean };
}

interface Saved {
  readonly state: SMState;
  readonly hidden: Hidden;
}

export class StropheTransport implements Transport {
  readonly #env: Pick<Env, "now" | "after" | "id">;
  readonly #store: ResumeStore;
  #conn: Connection | null = null;
  #on: TransportEvents | null = null;
  #online = false;
  #reason: CloseReason = "lost";
  #hidden: Hidden = null;
  /** Ids of the stanzas in strophe's unacknowledged queue, in order. */
  #unacked: readonly string[] = [];
  /** Message ids that wait for a ping's answer, where the server has no stream management. */
  #pings = new Map<string, string>();
  #heardAt = 0;
  #owedSince = 0;
  #patience = ANSWER_MS;
  #stopTimer: () => void = () => undefined;

  constructor(env: Pick<Env, "now" | "after" | "id">, store: ResumeStore) {
    this.#env = env;
    this.#store = store;
    Strophe.setLogLevel(Strophe.LogLevel.FATAL); // its log lines carry stanzas
  }

  connect(login: Login, on: TransportEvents): void {
    this.drop();
    this.#on = on;
    this.#reason = "lost";
    this.#hidden = null;
    this.#unacked = [];
    this.#pings.clear();
    const conn = new Strophe.Connection(login.url, {
      mechanisms: [Strophe.SASLPlain],
      enableStreamManagement: true,
      streamManagement: { maxUnacked: 1, storage: this.#backend() },
    });
    this.#conn = conn;
    this.#tame(conn);
    conn.xmlInput = (el) => this.#heard(conn, el as Element);
    conn.addHandler((el) => this.#stanza(conn, el), null, null, null);
    conn.connect(login.jid, login.password, (status, condition, el) => {
      if (this.#conn === conn) this.#status(conn, status, condition ?? "", el);
    });
    // A socket that closes before the stream opened, and not by accident, goes unnoticed by strophe.
    (conn as unknown as Insides)._proto.socket?.addEventListener("close", () => {
      if (this.#conn === conn) this.#close(this.#reason);
    });
    this.#stopTimer = this.#env.after(CONNECT_MS, () => {
      if (this.#conn === conn && !this.#online) this.#close("lost");
    });
  }

  send(x: Xml): void {
    const conn = this.#conn;
    if (!conn || !this.#online) return;
    conn.send(toDom(x));
    this.#owe(ANSWER_MS);
    if (x.name === "message" && !tracking(conn)) this.#ping(attr(x, "id"));
  }

  probe(): void {
    if (!this.#online) return;
    const conn = this.#conn;
    if (conn && tracking(conn)) conn.send(toDom(h("r", { xmlns: SM })));
    else this.#ping("");
    this.#patience = PROBE_MS;
    this.#owe(PROBE_MS);
  }

  disconnect(): void {
    const conn = this.#conn;
    this.#end();
    this.#store.clear();
    conn?.disconnect();
  }

  drop(): void {
    const conn = this.#conn;
    this.#end();
    if (!conn) return;
    conn.connect_callback = () => undefined;
    conn._doDisconnect();
  }

  /** Forgets the stream; strophe's later words about it are ignored. */
  #end(): void {
    this.#stopTimer();
    this.#conn = null;
    this.#on = null;
    this.#online = false;
  }

  #close(reason: CloseReason): void {
    const on = this.#on;
    this.drop();
    on?.closed(reason);
  }

  #tame(conn: Connection): void {
    const insides = conn as unknown as Insides;
    insides._proto._checkStreamError = (wrap) => {
      const first = wrap.namespaceURI === STREAM ? wrap : wrap.firstElementChild;
      if (first?.namespaceURI !== STREAM || first.localName !== "error") return false;
      this.#reason = streamError(fromDom(first));
      if (this.#conn === conn) this.#close(this.#reason);
      return true;
    };
    insides.sm.onFailed = (_view, resumeFailed) => {
      const waiting = this.#unacked;
      const unhandled = ids({ unacked: insides.sm._pendingResend });
      insides.sm._pendingResend = [];
      this.#unacked = [];
      // <failed h='…'/> says how far the server came (XEP-0198 §5). A refused <enable/>: the stream lives on without.
      if (resumeFailed) this.#on?.acked(waiting.filter((id) => id && !unhandled.includes(id)));
      else for (const id of waiting) this.#ping(id);
    };
  }

  #status(conn: Connection, status: number, condition: string, el: Element | undefined): void {
    const S = Strophe.Status;
    if (status === S.CONNECTED) this.#up(conn);
    else if (status === S.AUTHFAIL) {
      const temporary = el?.getElementsByTagName("temporary-auth-failure").length;
      this.#close(temporary ? "shutdown" : "refused");
    } else if (status === S.CONNFAIL || status === S.DISCONNECTED || status === S.ERROR || status === S.CONNTIMEOUT) {
      this.#close(condition === "conflict" ? "conflict" : this.#reason);
    }
  }

  #up(conn: Connection): void {
    this.#stopTimer();
    this.#online = true;
    conn.pass = "";
    this.#patience = ANSWER_MS;
    this.#owedSince = 0;
    this.#tick(conn);
    const info = { jid: conn.jid, resumed: conn.hasResumed(), hidden: this.#hidden, unacked: this.#unacked };
    this.#on?.online(info);
  }

  #heard(conn: Connection, el: Element): void {
    if (this.#conn !== conn) return;
    this.#heardAt = this.#env.now();
    this.#owedSince = 0;
    this.#patience = ANSWER_MS;
    if (el.localName !== "iq" || el.getAttribute("id") !== BIND_ID || this.#online) return;
    const hidden = child(child(fromDom(el), "bind"), "hidden", NS.GATEWAY);
    this.#hidden = hidden && (attr(hidden, "delivery") === "archive" ? "archive" : "live");
  }

  #stanza(conn: Connection, el: Element): true {
    const x = fromDom(el);
    if (this.#conn !== conn || !this.#online || x.ns !== NS.CLIENT) return true;
    const pinged = x.name === "iq" ? this.#pings.get(attr(x, "id")) : undefined;
    if (pinged !== undefined) {
      this.#pings.delete(attr(x, "id"));
      if (pinged) this.#on?.acked([pinged]);
    } else {
      this.#on?.stanza(x);
    }
    return true;
  }

  /** The server handles a stream in order, so the answer to a ping acknowledges what went before. */
  #ping(message: string): void {
    const id = this.#env.id();
    this.#pings.set(id, message);
    const conn = this.#conn;
    conn?.send(toDom(h("iq", { xmlns: NS.CLIENT, type: "get", id, to: conn.domain ?? undefined }, h("ping", { xmlns: NS.PING }))));
  }

  #owe(patience: number): void {
    this.#patience = Math.min(this.#patience, patience);
    this.#owedSince ||= this.#env.now();
  }

  #tick(conn: Connection): void {
    this.#stopTimer = this.#env.after(TICK_MS, () => {
      if (this.#conn !== conn) return;
      const now = this.#env.now();
      if (this.#owedSince && now - this.#owedSince > this.#patience) return this.#close("lost");
      if (!this.#owedSince && now - this.#heardAt > SILENCE_MS) this.probe();
      this.#tick(conn);
    });
  }

  #backend(): SMStorageBackend {
    return {
      load: () => {
        const saved = parse(this.#store.load());
        this.#hidden = saved?.hidden ?? null;
        this.#unacked = saved ? ids(saved.state) : [];
        return saved?.state ?? null;
      },
      save: (_key, state) => {
        this.#store.save(JSON.stringify({ state, hidden: this.#hidden } satisfies Saved));
        const now = ids(state);
        const gone = this.#unacked.filter((id) => id && !now.includes(id));
        this.#unacked = now;
        if (gone.length) this.#on?.acked(gone);
      },
      clear: () => this.#store.clear(),
    };
  }
}

/** Whether the stream counts stanzas, i.e. <enable/> was sent and not refused. */
function tracking(conn: Connection): boolean {
  return (conn as unknown as Insides).sm.isTracking();
}

function parse(raw: string | null): Saved | null {
  if (raw === null) return null;
  try {
    const v: unknown = JSON.parse(raw);
    if (!isRecord(v) || !isRecord(v["state"]) || !Array.isArray(v["state"]["unacked"])) return null;
    const hidden = v["hidden"] === "live" || v["hidden"] === "archive" ? v["hidden"] : null;
    const state = v["state"] as unknown as SMState;
    return state.id && state.resumeSupported ? { state, hidden } : null;
  } catch {
    return null;
  }
}

function ids(state: Pick<SMState, "unacked">): string[] {
  return state.unacked.map((q) => /^<[^>]*?\sid="([^"]*)"/.exec(q.stanza)?.[1] ?? "");
}

function streamError(error: Xml): CloseReason {
  const is = (name: string): boolean => child(error, name, STREAM_ERRORS) !== null;
  if (is("conflict")) return "conflict";
  if (is("not-authorized")) return "revoked";
  if (is("policy-violation") || is("reset")) return "policy";
  return is("system-shutdown") ? "shutdown" : "lost";
}
