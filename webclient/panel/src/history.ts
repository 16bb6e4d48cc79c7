/**
 * Catching up with the archive, for the account when a stream is up and for one person when they scroll back.
 * Where the server cannot deliver live (Delivery archive) it asks again every few seconds.
 */
import type { Archive, Page } from "./archive.ts";
import type { Env } from "./env.ts";
import type { Inbox } from "./inbox.ts";
import type { Conversation } from "./state.ts";
import { type Cell, inConversation } from "./state/cell.ts";
import { setGap } from "./state/messages.ts";

const PAGE = 100;
const MAX_PAGES = 50;
const SCROLL_PAGE = 50;
const SCROLL_TRIES = 5;
const RETRY_MS = 10_000;
const POLL_SEEN_MS = 5_000;
const POLL_UNSEEN_MS = 30_000;

export class History {
  readonly #env: Pick<Env, "after">;
  readonly #cell: Cell;
  readonly #archive: Archive;
  readonly #inbox: Inbox;
  /** Called when everything is known and live messages flow. */
  readonly #ready: () => void;
  /** Archive id from which each conversation scrolls further back. */
  readonly #oldest = new Map<string, string>();
  #overview = false;
  #caughtUp = false;
  #running = false;
  #up = false;
  #seen = false;
  #stopTimer: () => void = () => undefined;

  constructor(env: Pick<Env, "after">, cell: Cell, archive: Archive, inbox: Inbox, ready: () => void) {
    this.#env = env;
    this.#cell = cell;
    this.#archive = archive;
    this.#inbox = inbox;
    this.#ready = ready;
  }

  /** A stream is up. A resumed one brings what was missed by itself, if all was known before. */
  up(resumed: boolean): void {
    this.#up = true;
    if (resumed && this.#caughtUp) {
      this.#ready();
      this.#plan();
    } else {
      this.#caughtUp = false;
      void this.catchUp();
    }
  }

  down(): void {
    this.#up = false;
    this.#stopTimer();
    // A page that was asked for is lost with the stream.
    this.#cell.change((s) => ({
      ...s,
      conversations: new Map([...s.conversations].map(([jid, c]) => [jid, c.history === "loading" ? { ...c, history: "unknown" } : c])),
    }));
  }

  attention(seen: boolean): void {
    if (seen === this.#seen) return;
    this.#seen = seen;
    if (this.#up && this.#cell.state.delivery === "archive") {
      if (seen) void this.catchUp();
      else this.#plan();
    }
  }

  /** Brings everything that the archive has after `sync`. */
  async catchUp(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    this.#stopTimer();
    this.#inbox.hold();
    try {
      await this.#missed();
      this.#caughtUp = true;
    } catch {
      // The stream ended or did not answer.
    } finally {
      this.#running = false;
      this.#inbox.release();
    }
    if (!this.#up) return;
    if (this.#caughtUp) this.#ready();
    this.#plan();
  }

  async #missed(): Promise<void> {
    const known = this.#inbox.sync;
    const first = known ? await this.#forward(known) : "";
    if (first === "unknown" || !this.#overview || !known) await this.#latest(first === "unknown" ? "" : first, known);
    this.#overview = true;
  }

  /** Pages forward; returns the first archive id found, "" for none, or "unknown" when the end was not reached. */
  async #forward(from: string): Promise<string> {
    let after = from;
    let first = "";
    for (let i = 0; i < MAX_PAGES; i++) {
      const page = await this.#archive.page({ after, max: PAGE });
      if (page === "gone") return "unknown";
      if (page === "refused") return first;
      this.#inbox.page(page.events, "caught-up", "count");
      this.#inbox.setSync(page.last);
      first ||= page.first;
      if (page.complete) return first;
      after = page.last;
    }
    return "unknown";
  }

  /** The last page before `before` ("" = the end), for an overview of who wrote last. */
  async #latest(before: string, known: string): Promise<void> {
    const page = await this.#archive.page({ before, max: PAGE });
    if (typeof page === "string") return;
    const jump = before === "" && known !== "";
    const heads = new Map([...this.#cell.state.conversations].map(([jid, c]) => [jid, new Set(c.messages.map((m) => m.key))]));
    this.#inbox.page(page.events, before ? "start" : "caught-up", known ? "keep" : "derive");
    if (before === "") this.#inbox.setSync(page.last);
    if (jump && !page.complete) this.#markGaps(heads);
  }

  /** After a jump to the end of the archive, history is missing above what came new below known messages. */
  #markGaps(known: ReadonlyMap<string, ReadonlySet<string>>): void {
    for (const [jid, keys] of known) {
      const c = this.#cell.state.conversations.get(jid);
      const first = keys.size > 0 ? c?.messages.find((m) => !keys.has(m.key)) : undefined;
      if (first) this.#change(jid, (o) => setGap(o, first.key, true));
    }
  }

  /** One older page of a conversation. */
  async older(jid: string): Promise<void> {
    const c = this.#cell.state.conversations.get(jid);
    if (!this.#up || !c || c.history === "loading" || c.history === "complete") return;
    this.#change(jid, (o) => ({ ...o, history: "loading" }));
    let before = this.#oldest.get(jid) ?? c.messages.find((m) => m.stanzaId !== "")?.stanzaId ?? "";
    for (let i = 0; i < SCROLL_TRIES; i++) {
      const page = await this.#ask(jid, before);
      const added = page ? this.#inbox.page(page.events.filter((e) => e.peer === jid), "start", "keep") : 0;
      if (page?.first) this.#oldest.set(jid, (before = page.first));
      if (page && !page.complete && added === 0) continue; // only receipts and the like, or known already
      return this.#change(jid, (o) => ({ ...o, history: !page ? "failed" : page.complete ? "complete" : "more" }));
    }
    this.#change(jid, (o) => ({ ...o, history: "more" }));
  }

  /** One page of what is missing above a message. */
  async gap(jid: string, key: string): Promise<void> {
    const c = this.#cell.state.conversations.get(jid);
    const m = c?.messages.find((o) => o.key === key);
    if (!this.#up || !c || !m?.gapBefore || !m.stanzaId) return;
    const page = await this.#ask(jid, m.stanzaId);
    if (!page) return;
    const events = page.events.filter((e) => e.peer === jid && e.body);
    const at = this.#cell.state.conversations.get(jid)?.messages.findIndex((o) => o.key === key) ?? 0;
    const added = this.#inbox.page(events, { before: key }, "keep");
    this.#change(jid, (o) => {
      const closed = setGap(o, key, false);
      const first = closed.messages[at];
      return page.complete || added < events.length || !first ? closed : setGap(closed, first.key, true);
    });
  }

  async #ask(jid: string, before: string): Promise<Exclude<Page, string> | null> {
    try {
      const page = await this.#archive.page({ with: jid, before, max: SCROLL_PAGE });
      return typeof page === "string" ? null : page;
    } catch {
      return null;
    }
  }

  #plan(): void {
    this.#stopTimer();
    const polling = this.#cell.state.delivery === "archive";
    if (!this.#up || (this.#caughtUp && !polling)) return;
    const ms = !this.#caughtUp ? RETRY_MS : this.#seen ? POLL_SEEN_MS : POLL_UNSEEN_MS;
    this.#stopTimer = this.#env.after(ms, () => void this.catchUp());
  }

  #change(jid: string, fn: (c: Conversation) => Conversation): void {
    this.#cell.change((s) => inConversation(s, jid, fn));
  }
}
