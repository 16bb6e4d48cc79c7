/**
 * Everything that arrives in conversations, in the right order and once: live, as carbon, from the archive, or again
 * after a resumption. Keeps the unread counts and remembers them over a reload.
 *
 * While history is being caught up, live messages wait, so that what came earlier is shown earlier. `sync` is the
 * newest archive id up to which everything is known; it is stored together with the unread counts.
 */
import type { Env } from "./env.ts";
import type { Archive } from "./archive.ts";
import type { Outbox } from "./outbox.ts";
import type { Conversation, State } from "./state.ts";
import { type Cell, inConversation, withConversation } from "./state/cell.ts";
import { addMessages, firstUnread, type NewMessage, type Place, setDelivery, setDisplayed, setFailed } from "./state/messages.ts";
import { isRecord, type Store } from "./storage.ts";
import type { ChatEvent } from "./xmpp/message.ts";

/** How unread counts move: count new ones; keep what is stored; derive them (nothing is stored yet). */
type Counting = "count" | "keep" | "derive";

interface Saved {
  readonly sync: string;
  /** bare JID → [unread, time of the newest message] */
  readonly unread: Readonly<Record<string, readonly [number, number]>>;
}

/** What the inbox wants sent; the caller checks consent. */
export interface Answers {
  receipt(event: ChatEvent): void;
  read(jid: string): void;
}

const COMPOSING_MS = 30_000;
const MAX_HELD = 5_000;
const MAX_EARLY = 1_000;

export class Inbox {
  readonly #env: Pick<Env, "now" | "id" | "after">;
  readonly #cell: Cell;
  readonly #archive: Archive;
  readonly #outbox: () => Outbox;
  readonly #store: Store;
  readonly #answers: Answers;
  #sync: string;
  #held: ChatEvent[] | null = null;
  /** Confirmations of messages that are not loaded yet: "jid id". */
  readonly #early = new Map<string, "delivered" | "read">();
  readonly #composing = new Map<string, () => void>();
  #attention = false;

  constructor(
    env: Pick<Env, "now" | "id" | "after">, cell: Cell, archive: Archive, outbox: () => Outbox, store: Store, answers: Answers,
  ) {
    this.#env = env;
    this.#cell = cell;
    this.#archive = archive;
    this.#outbox = outbox;
    this.#store = store;
    this.#answers = answers;
    const saved = store.get("inbox", isSaved);
    this.#sync = saved?.sync ?? "";
    for (const [jid, [unread, lastAt]] of Object.entries(saved?.unread ?? {})) {
      cell.change((s) => withConversation(s, jid, (c) => ({ ...c, unread, lastAt })));
    }
  }

  get sync(): string {
    return this.#sync;
  }

  /** Everything up to this archive id is known now. */
  setSync(id: string): void {
    if (!id || id === this.#sync) return;
    this.#sync = id;
    this.#save();
  }

  /** From now on live messages wait until release(). */
  hold(): void {
    this.#held ??= [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const e of held) this.#live(e);
  }

  /** A message stanza that was read and believed. */
  take(e: ChatEvent): void {
    if (e.via === "archive") this.#archive.collect(e);
    else if (this.#held && this.#held.length < MAX_HELD) this.#held.push(e);
    else this.#live(e);
  }

  /** A page of the archive, oldest first. Returns how many messages were new. */
  page(events: readonly ChatEvent[], place: Place, counting: Counting): number {
    let added = 0;
    for (const jid of new Set(events.map((e) => e.peer))) {
      const group = events.filter((e) => e.peer === jid);
      const fresh = this.#apply(jid, group, place, counting);
      added += fresh.size;
      if (counting === "count") for (const e of group) if (fresh.has(e)) this.#answers.receipt(e);
    }
    this.#save();
    return added;
  }

  /** The person opened this conversation, or looks at it again. */
  read(jid: string): void {
    const c = this.#cell.state.conversations.get(jid);
    if (!c || c.unread === 0) return;
    this.#change(jid, (o) => ({ ...o, firstUnread: firstUnread(o), unread: 0 }));
    this.#save();
    this.#answers.read(jid);
  }

  /** Whether the person sees the panel. Coming back reads the open conversation. */
  attention(seen: boolean): void {
    this.#attention = seen;
    const screen = this.#cell.state.screen;
    if (seen && screen.kind === "conversation") this.read(screen.jid);
  }

  #live(e: ChatEvent): void {
    if (e.error) {
      if (!e.id) return;
      this.#outbox().drop(e.id, e.peer);
      this.#existing(e.peer, (c) => setFailed(c, e.id, e.error));
      return;
    }
    if (!e.mine) this.#typing(e);
    const fresh = this.#apply(e.peer, [e], "end", "count").has(e);
    if (fresh && e.via === "live") this.#answers.receipt(e);
    if (e.stanzaId && this.#cell.state.delivery === "live") this.#sync = e.stanzaId;
    if (fresh || e.stanzaId) this.#save();
    if (fresh && !e.mine && this.#sees(this.#cell.state, e.peer)) this.#answers.read(e.peer);
  }

  /** Applies events of one person; returns those that were new messages. */
  #apply(jid: string, events: readonly ChatEvent[], place: Place, counting: Counting): Set<ChatEvent> {
    const fresh = new Set<ChatEvent>();
    const keys = new Map<ChatEvent, string>();
    const messages: NewMessage[] = [];
    for (const e of events) if (e.body) messages.push(this.#message(e, keys));
    if (messages.length) {
      this.#change(jid, (c) => {
        const r = addMessages(c, messages, place);
        for (const [e, key] of keys) if (r.added.includes(key)) fresh.add(e);
        return r.conversation;
      });
    }
    this.#existing(jid, (c) => this.#marks(this.#confirmed(c, fresh), events));
    if (counting !== "keep") this.#count(jid, events, counting === "derive" ? null : fresh);
    return fresh;
  }

  #message(e: ChatEvent, keys: Map<ChatEvent, string>): NewMessage {
    const { id, stanzaId, mine, body, wantsReceipt, markable } = e;
    const key = stanzaId || this.#env.id();
    keys.set(e, key);
    return { key, id, stanzaId, mine, body, at: e.at || this.#env.now(), state: "sent", wantsReceipt, markable };
  }

  /** Receipts and markers: only the person written to can confirm, and only in their own conversation. */
  #marks(c: Conversation, events: readonly ChatEvent[]): Conversation {
    let next = c;
    for (const e of events) {
      const of = e.displayed || e.received;
      if (e.mine || !of) continue;
      if (c.messages.some((m) => m.mine && m.id === of)) next = e.displayed ? setDisplayed(next, of) : setDelivery(next, of, "delivered");
      else if (this.#early.size < MAX_EARLY) this.#early.set(`${c.jid} ${of}`, e.displayed ? "read" : "delivered");
    }
    return next;
  }

  /** Scrolling back meets confirmations before the messages that they confirm. */
  #confirmed(c: Conversation, fresh: ReadonlySet<ChatEvent>): Conversation {
    let next = c;
    for (const e of fresh) {
      const state = e.mine ? this.#early.get(`${c.jid} ${e.id}`) : undefined;
      if (state) next = state === "read" ? setDisplayed(next, e.id) : setDelivery(next, e.id, state);
    }
    return next;
  }

  /** Theirs add to the count; our own message or displayed marker, from any device, clears it. */
  #count(jid: string, events: readonly ChatEvent[], fresh: ReadonlySet<ChatEvent> | null): void {
    const seen = this.#sees(this.#cell.state, jid);
    this.#existing(jid, (c) => {
      let unread = fresh ? c.unread : 0;
      for (const e of events) {
        if (e.mine ? e.displayed || (e.body && (!fresh || fresh.has(e))) : seen) unread = 0;
        else if (!e.mine && e.body && (!fresh || fresh.has(e))) unread += 1;
      }
      return unread === c.unread ? c : { ...c, unread, firstUnread: unread === 0 ? c.firstUnread : "" };
    });
  }

  #typing(e: ChatEvent): void {
    if (!e.chatState && !e.body) return;
    const on = e.chatState === "composing" && !e.body;
    this.#composing.get(e.peer)?.();
    this.#composing.delete(e.peer);
    this.#existing(e.peer, (c) => (c.composing === on ? c : { ...c, composing: on }));
    if (on) this.#composing.set(e.peer, this.#env.after(COMPOSING_MS, () => this.#existing(e.peer, (c) => ({ ...c, composing: false }))));
  }

  #sees(s: State, jid: string): boolean {
    return this.#attention && s.screen.kind === "conversation" && s.screen.jid === jid;
  }

  #change(jid: string, fn: (c: Conversation) => Conversation): void {
    this.#cell.change((s) => withConversation(s, jid, fn));
  }

  #existing(jid: string, fn: (c: Conversation) => Conversation): void {
    this.#cell.change((s) => inConversation(s, jid, fn));
  }

  #save(): void {
    const unread: Record<string, readonly [number, number]> = {};
    for (const c of this.#cell.state.conversations.values()) if (c.unread > 0) unread[c.jid] = [c.unread, c.lastAt];
    this.#store.set("inbox", { sync: this.#sync, unread } satisfies Saved);
  }
}

function isSaved(v: unknown): v is Saved {
  return isRecord(v) && typeof v["sync"] === "string" && isRecord(v["unread"])
    && Object.values(v["unread"]).every((p) => Array.isArray(p) && p.length === 2 && p.every((n) => typeof n === "number"));
}
