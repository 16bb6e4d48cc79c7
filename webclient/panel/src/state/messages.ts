/**
 * Conversations as pure functions: where a message goes, whether it is already there, what a receipt changes.
 *
 * Order is the order of arrival, not of clocks, which may disagree. Live messages come in the archive's order; archive
 * pages are put where they belong: after everything archived, before everything, or into a gap. A message that was
 * written while offline stays where its author saw it until the next reload.
 *
 * A message is already there when its archive id is, when it is ours with an id that is, or when the same person
 * sent the same text under the same id before (a repetition after a lost acknowledgement).
 */
import type { Conversation, DeliveryState, Message } from "../state.ts";

export function newConversation(jid: string): Conversation {
  return {
    jid, messages: [], unread: 0, firstUnread: "", composing: false, draft: "", history: "unknown", lastAt: 0,
  };
}

/** A message as it comes in; `key` is chosen by the caller and kept if the message is new. */
export type NewMessage = Omit<Message, "gapBefore" | "error">;

/** end: newest. caught-up: newest archived, before own messages that still wait. start: oldest. {before}: above that key. */
export type Place = "end" | "caught-up" | "start" | { readonly before: string };

export interface Added {
  readonly conversation: Conversation;
  /** Keys of the messages that were not there before, in order. */
  readonly added: readonly string[];
}

/** Adds messages in archive order at one place; those already there are merged instead. */
export function addMessages(c: Conversation, incoming: readonly NewMessage[], place: Place): Added {
  let messages = c.messages;
  const fresh: Message[] = [];
  const known = index(messages, incoming);
  const taken = new Set<string>();
  for (const m of incoming) {
    const names = identity(m);
    const i = names.map((n) => known.get(n)).find((n) => n !== undefined);
    if (i !== undefined) messages = replace(messages, i, merge(messages[i] as Message, m));
    else if (!names.some((n) => taken.has(n))) fresh.push({ ...m, gapBefore: false, error: "" });
    for (const n of names) taken.add(n);
  }
  if (fresh.length) messages = messages.toSpliced(position(messages, place), 0, ...fresh);
  const lastAt = fresh.reduce((at, m) => Math.max(at, m.at), c.lastAt);
  const conversation = messages === c.messages ? c : { ...c, messages, lastAt };
  return { conversation, added: fresh.map((m) => m.key) };
}

/** What two copies of one message have in common: any one of these suffices. */
function identity(m: Pick<Message, "stanzaId" | "id" | "mine" | "body">): string[] {
  const names = m.stanzaId ? [`archived ${m.stanzaId}`] : [];
  if (m.id) names.push(m.mine ? `mine ${m.id}` : `theirs ${m.id} ${m.body}`);
  return names;
}

/** Where messages with the identities of `incoming` may be. One message does not pay for an index of all. */
function index(messages: readonly Message[], incoming: readonly NewMessage[]): ReadonlyMap<string, number> {
  const only = incoming.length === 1 ? incoming[0] : undefined;
  const known = new Map<string, number>();
  messages.forEach((m, i) => {
    if (only && m.stanzaId !== only.stanzaId && m.id !== only.id) return;
    for (const n of identity(m)) known.set(n, i);
  });
  return known;
}

/** What is known of a message grows: the archive's id and time, and that the server has it. */
function merge(old: Message, m: NewMessage): Message {
  const arrived = old.mine && (old.state === "queued" || old.state === "sending");
  const archived = !old.stanzaId && m.stanzaId !== "";
  if (!arrived && !archived) return old;
  return { ...old, stanzaId: old.stanzaId || m.stanzaId, state: arrived ? "sent" : old.state, at: archived ? m.at : old.at };
}

function position(messages: readonly Message[], place: Place): number {
  if (place === "start") return 0;
  if (place === "end") return messages.length;
  if (place === "caught-up") return messages.findLastIndex((m) => !waits(m)) + 1;
  const i = messages.findIndex((m) => m.key === place.before);
  return i < 0 ? messages.length : i;
}

function waits(m: Message): boolean {
  return m.mine && m.stanzaId === "" && (m.state === "queued" || m.state === "sending");
}

function replace(messages: readonly Message[], i: number, m: Message): readonly Message[] {
  return messages[i] === m ? messages : messages.with(i, m);
}

function edit(c: Conversation, test: (m: Message) => boolean, change: (m: Message) => Message): Conversation {
  let messages = c.messages;
  messages.forEach((m, i) => {
    if (test(m)) messages = replace(messages, i, change(m));
  });
  return messages === c.messages ? c : { ...c, messages };
}

/** Own message `id` got further; never backwards, and a failure stays one. */
export function setDelivery(c: Conversation, id: string, state: DeliveryState): Conversation {
  return edit(c, (m) => m.mine && m.id === id, (m) => (further(m.state, state) ? { ...m, state } : m));
}

const RANK: Readonly<Record<DeliveryState, number>> = { queued: 0, sending: 1, sent: 2, delivered: 3, read: 4, failed: 5 };

function further(from: DeliveryState, to: DeliveryState): boolean {
  return RANK[to] > RANK[from];
}

/** They displayed our message `id`, so everything of ours above it was read too (XEP-0333 §4). */
export function setDisplayed(c: Conversation, id: string): Conversation {
  const upTo = c.messages.findLastIndex((m) => m.mine && m.id === id);
  if (upTo < 0) return c;
  const above = new Set(c.messages.slice(0, upTo + 1).map((m) => m.key));
  const reached = (m: Message): boolean => m.mine && above.has(m.key) && (m.state === "sent" || m.state === "delivered" || m.id === id);
  return edit(c, reached, (m) => (further(m.state, "read") ? { ...m, state: "read" } : m));
}

/** Own message `id` was refused. One that the other side already confirmed is not taken back by a stray error. */
export function setFailed(c: Conversation, id: string, error: string): Conversation {
  const open = (m: Message): boolean => m.mine && m.id === id && RANK[m.state] < RANK.delivered;
  return edit(c, open, (m) => ({ ...m, state: "failed", error }));
}

export function removeMessage(c: Conversation, key: string): Conversation {
  const messages = c.messages.filter((m) => m.key !== key);
  return messages.length === c.messages.length ? c : { ...c, messages };
}

/** Marks that history is missing above this message, or that it no longer is. */
export function setGap(c: Conversation, key: string, gapBefore: boolean): Conversation {
  return edit(c, (m) => m.key === key && m.gapBefore !== gapBefore, (m) => ({ ...m, gapBefore }));
}

/** Newest archive id in the conversation, "" if none. */
export function newestArchived(c: Conversation): string {
  return c.messages.findLast((m) => m.stanzaId !== "")?.stanzaId ?? "";
}

/** Key of the first unread message, given how many are. */
export function firstUnread(c: Conversation): string {
  if (c.unread === 0) return "";
  const theirs = c.messages.filter((m) => !m.mine);
  return theirs.at(-Math.min(c.unread, theirs.length))?.key ?? "";
}

/** One line of the conversation view. */
export type Row =
  | { readonly kind: "day"; readonly key: string; readonly at: number }
  | { readonly kind: "gap"; readonly key: string; readonly above: string }
  | { readonly kind: "new"; readonly key: string }
  | { readonly kind: "message"; readonly key: string; readonly message: Message };

/** The conversation with day separators, gap markers and the "new" line. `day` names a time's local calendar day. */
export function rows(c: Conversation, day: (at: number) => string): Row[] {
  const out: Row[] = [];
  let today = "";
  for (const m of c.messages) {
    if (m.gapBefore) out.push({ kind: "gap", key: `gap-${m.key}`, above: m.key });
    if (day(m.at) !== today) {
      today = day(m.at);
      out.push({ kind: "day", key: `day-${m.key}`, at: m.at });
    }
    if (m.key === c.firstUnread) out.push({ kind: "new", key: "new" });
    out.push({ kind: "message", key: m.key, message: m });
  }
  return out;
}
