/** Contacts, presences, requests and the people list as pure functions. */
import type { Availability, Contact, Conversation, IncomingRequest, Screen, State } from "../state.ts";
import { localpart } from "../xmpp/jid.ts";
import type { RosterItem } from "../xmpp/roster.ts";

/** Presence of every resource that showed itself: bare JID → resource → availability. */
export type Presences = ReadonlyMap<string, ReadonlyMap<string, Availability>>;

/** Records one resource's presence; offline removes it. The bare address going offline removes all. */
export function setPresence(p: Presences, jid: string, resource: string, a: Availability): Presences {
  const next = new Map(p);
  const resources = new Map(p.get(jid));
  if (a !== "offline") resources.set(resource, a);
  else if (resource) resources.delete(resource);
  else resources.clear();
  if (resources.size) next.set(jid, resources);
  else next.delete(jid);
  return next;
}

const BEST: readonly Availability[] = ["online", "dnd", "away"];

/** What a dot may show. Nothing is shown for people who do not let us see it, whatever they send. */
export function availability(p: Presences, jid: string, subscription: Contact["subscription"]): Availability {
  if (subscription !== "to" && subscription !== "both") return "unknown";
  const all = new Set(p.get(jid)?.values());
  return BEST.find((a) => all.has(a)) ?? "offline";
}

/** Applies roster items; `replace` for a full roster, else a push. */
export function applyRoster(
  contacts: ReadonlyMap<string, Contact>,
  items: readonly RosterItem[],
  context: { presences: Presences; avatars: Readonly<Record<string, string>>; replace: boolean },
): ReadonlyMap<string, Contact> {
  const next = new Map(context.replace ? [] : contacts);
  for (const { jid, name, subscription, asked, groups } of items) {
    if (subscription === "remove") {
      next.delete(jid);
      continue;
    }
    const avatar = context.avatars[jid] ?? contacts.get(jid)?.avatar ?? "";
    next.set(jid, {
      jid, name, avatar, subscription, asked, groups, availability: availability(context.presences, jid, subscription),
    });
  }
  return next;
}

/** Contacts whose dot changed because a presence did. */
export function applyPresence(
  contacts: ReadonlyMap<string, Contact>, jid: string, presences: Presences,
): ReadonlyMap<string, Contact> {
  const c = contacts.get(jid);
  const a = c && availability(presences, jid, c.subscription);
  return !c || !a || a === c.availability ? contacts : new Map(contacts).set(jid, { ...c, availability: a });
}

/** Adds a subscription request, once per person. */
export function addRequest(requests: readonly IncomingRequest[], jid: string, at: number): readonly IncomingRequest[] {
  return requests.some((r) => r.jid === jid) ? requests : [...requests, { jid, at }];
}

export function removeRequest(requests: readonly IncomingRequest[], jid: string): readonly IncomingRequest[] {
  return requests.some((r) => r.jid === jid) ? requests.filter((r) => r.jid !== jid) : requests;
}

/** Drops a conversation in which nothing was said: with its contact gone, nobody would know why it is there. */
export function forget(s: State, jid: string): State {
  const c = s.conversations.get(jid);
  if (!c || c.lastAt > 0 || c.messages.length > 0) return s;
  return { ...s, conversations: new Map([...s.conversations].filter(([j]) => j !== jid)) };
}

/** Moves to another screen. An address to which nobody wrote, nor began to, is forgotten on the way. */
export function show(s: State, screen: Screen): State {
  const left = s.screen.kind === "conversation" ? s.screen.jid : "";
  const kept = (screen.kind === "conversation" && screen.jid === left) || s.contacts.has(left) || s.conversations.get(left)?.draft;
  return { ...(kept ? s : forget(s, left)), screen };
}

/** Name to show for an address. */
export function displayName(s: Pick<State, "contacts">, jid: string): string {
  return s.contacts.get(jid)?.name || localpart(jid);
}

/** One row of the people list: a contact, a conversation, or both. */
export interface Person {
  readonly jid: string;
  readonly name: string;
  readonly contact: Contact | null;
  readonly conversation: Conversation | null;
}

/** Contacts and conversations that match the search: newest conversation first, then by name. */
export function peopleList(s: Pick<State, "contacts" | "conversations" | "query">): Person[] {
  const wanted = s.query.trim().toLowerCase();
  const people: Person[] = [];
  for (const jid of new Set([...s.conversations.keys(), ...s.contacts.keys()])) {
    const name = displayName(s, jid);
    if (wanted && !name.toLowerCase().includes(wanted) && !jid.includes(wanted)) continue;
    people.push({ jid, name, contact: s.contacts.get(jid) ?? null, conversation: s.conversations.get(jid) ?? null });
  }
  const at = (p: Person): number => p.conversation?.lastAt ?? 0;
  return people.sort((a, b) => at(b) - at(a) || COLLATE.compare(a.name, b.name) || (a.jid < b.jid ? -1 : 1));
}

const COLLATE = new Intl.Collator();

/** Sum of unread messages. */
export function totalUnread(s: Pick<State, "conversations">): number {
  let n = 0;
  for (const c of s.conversations.values()) n += c.unread;
  return n;
}
