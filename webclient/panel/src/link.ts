/**
 * Keeps one stream up: takes the tab lock, fetches a fresh credential for each attempt, connects, and tries again
 * with growing, jittered pauses until told to stop. A 401 stops it at once: a signed-out browser does not poll.
 */
import type { Api, Failure } from "./api.ts";
import { delay } from "./backoff.ts";
import type { Env } from "./env.ts";
import type { Connection, Consent } from "./state.ts";
import type { Cell } from "./state/cell.ts";
import type { TabGuard } from "./tabs.ts";
import type { CloseReason, OnlineInfo, Transport } from "./transport.ts";
import { Questions, reply, StreamLost } from "./xmpp/iq.ts";
import { attr, type Xml } from "./xmpp/xml.ts";

/** A stream that lived this long was no failed attempt. */
const STABLE_MS = 10_000;
const QUESTION_MS = 30_000;

export interface LinkEvents {
  up(info: OnlineInfo): void;
  down(): void;
  /** Messages, presences, and pushes; answers to questions do not come here. */
  stanza(x: Xml): void;
  acked(ids: readonly string[]): void;
  /** Consent as the server has it now, fetched before each reconnect. */
  consent(c: Consent): void;
  /** The session is over (401), and why. */
  signedOut(f: Failure): void;
}

export class Link {
  readonly #env: Env;
  readonly #api: Api;
  readonly #transport: Transport;
  readonly #guard: TabGuard;
  readonly #cell: Cell;
  readonly #on: LinkEvents;
  readonly #questions: Questions;
  #wanted = false;
  /** Raised whenever what an await was for is no longer wanted. */
  #generation = 0;
  #attempt = 0;
  #upAt = 0;
  #up = false;
  #jid: string;
  #cancelRetry: () => void = () => undefined;

  constructor(env: Env, api: Api, transport: Transport, guard: TabGuard, cell: Cell, jid: string, on: LinkEvents) {
    this.#env = env;
    this.#api = api;
    this.#transport = transport;
    this.#guard = guard;
    this.#cell = cell;
    this.#jid = jid;
    this.#on = on;
    this.#questions = new Questions(() => this.#jid);
  }

  get up(): boolean {
    return this.#up;
  }

  /** Starts connecting; if another tab is connected, says so and waits until it goes. */
  start(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    void this.#takeLock("try");
  }

  /** Brings the connection here from another tab. */
  takeOver(): void {
    if (this.#cell.state.connection.kind !== "replaced") return;
    this.#wanted = true;
    void this.#takeLock("steal");
  }

  /** Ends the stream for good; `properly` tells the server, otherwise the session may be resumed. */
  stop(properly: boolean): void {
    this.#wanted = false;
    this.#forget();
    if (properly) this.#transport.disconnect();
    else this.#transport.drop();
    this.#guard.release();
    this.#show({ kind: "idle" });
  }

  retryNow(): void {
    const kind = this.#cell.state.connection.kind;
    if (kind === "reconnecting" || kind === "server-down" || kind === "offline") this.#dial();
  }

  /** The browser's network came or went. */
  network(): void {
    if (!this.#wanted || this.#cell.state.connection.kind === "replaced") return;
    if (!this.#env.online()) {
      this.#forget();
      this.#transport.drop();
      this.#show({ kind: "offline" });
    } else if (this.#up) {
      this.#transport.probe();
    } else {
      this.#attempt = 0;
      this.#dial();
    }
  }

  /** The person came back: doubt the stream, and do not make them wait for the next attempt. */
  awake(): void {
    if (this.#up) this.#transport.probe();
    else this.retryNow();
  }

  send(x: Xml): void {
    if (this.#up) this.#transport.send(x);
  }

  /** Sends a question and waits for its answer (result or error); rejects with StreamLost. */
  ask(iq: Xml): Promise<Xml> {
    if (!this.#up) return Promise.reject(new StreamLost());
    const asked = { ...iq, attrs: { ...iq.attrs, id: this.#env.id() } };
    const answer = this.#questions.wait(asked, (fn) => this.#env.after(QUESTION_MS, fn));
    this.#transport.send(asked);
    return answer;
  }

  async #takeLock(how: "try" | "wait" | "steal"): Promise<void> {
    const got = await this.#guard.acquire(how, () => this.#lost());
    if (!this.#wanted) {
      this.#guard.release();
    } else if (got) {
      if (how === "steal") this.#guard.disown(); // what this tab could resume may be a copy
      if (!this.#up) this.#dial();
    } else {
      this.#show({ kind: "replaced" });
      void this.#takeLock("wait");
    }
  }

  /** Another tab took the connection over. */
  #lost(): void {
    if (!this.#wanted) return;
    this.#forget();
    this.#transport.disconnect();
    this.#show({ kind: "replaced" });
    void this.#takeLock("wait");
  }

  #dial(): void {
    this.#forget();
    if (!this.#env.online()) this.#show({ kind: "offline" });
    else void this.#connect(this.#generation);
  }

  async #connect(generation: number): Promise<void> {
    this.#show({ kind: "connecting" });
    const known = this.#upAt === 0; // the session was fetched a moment ago
    const [credentials, consent] = await Promise.all([this.#api.credentials(), known ? null : this.#api.consent()]);
    if (generation !== this.#generation) return;
    if (!credentials.ok) return this.#noCredentials(credentials);
    if (consent?.ok) this.#on.consent(consent.value);
    const { websocketUrl: url, jid, password } = credentials.value;
    this.#transport.connect({ url, jid, password }, {
      online: (info) => this.#online(info),
      closed: (reason) => this.#closed(reason),
      stanza: (x) => this.#stanza(x),
      acked: (ids) => this.#on.acked(ids),
    });
  }

  #noCredentials(f: Failure): void {
    if (f.why === "signed-out" || f.why === "again") this.#on.signedOut(f);
    else this.#retry("server-down", "credentials", f.retryAfter * 1000);
  }

  #online(info: OnlineInfo): void {
    this.#up = true;
    this.#upAt = this.#env.now();
    this.#jid = info.jid;
    if (!info.resumed) this.#guard.claim();
    this.#show({ kind: "online", resumed: info.resumed });
    this.#on.up(info);
  }

  #closed(reason: CloseReason): void {
    if (this.#up && this.#env.now() - this.#upAt >= STABLE_MS) this.#attempt = 0;
    this.#forget();
    if (reason === "conflict") {
      this.#guard.release();
      this.#show({ kind: "replaced" });
    } else {
      this.#retry("reconnecting", reason, 0);
    }
  }

  #retry(kind: "reconnecting" | "server-down", reason: string, atLeast: number): void {
    this.#attempt += 1;
    const attempt = this.#attempt;
    const ms = delay(attempt, this.#env.random(), atLeast);
    const nextAt = this.#env.now() + ms;
    this.#show(kind === "server-down" ? { kind, nextAt, attempt } : { kind, nextAt, attempt, reason });
    this.#cancelRetry = this.#env.after(ms, () => this.#dial());
  }

  #stanza(x: Xml): void {
    if (x.name !== "iq") return this.#on.stanza(x);
    const type = attr(x, "type");
    if (type === "get" || type === "set") this.#on.stanza(x);
    else this.#questions.answer(x);
  }

  /** Answers a question that nobody above wanted. */
  refuse(iq: Xml): void {
    this.send(reply(iq, this.#jid.split("/")[0] ?? ""));
  }

  #forget(): void {
    this.#generation += 1;
    this.#cancelRetry();
    const was = this.#up;
    this.#up = false;
    this.#questions.abandon();
    if (was) this.#on.down();
  }

  #show(connection: Connection): void {
    this.#cell.change((s) => ({ ...s, connection }));
  }
}
