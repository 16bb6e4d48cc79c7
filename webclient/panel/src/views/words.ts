// Times, names and the sentences that more than one view says.
import type { Contact, DeliveryState, SignedOutReason } from "../state.ts";

const DAY = 86_400_000;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat("en", { weekday: "long" });
const shortDay = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });
const longDay = new Intl.DateTimeFormat("en", { weekday: "long", day: "numeric", month: "long" });
const fullDay = new Intl.DateTimeFormat("en", { day: "numeric", month: "long", year: "numeric" });

/** 14:05 */
export function time(at: number): string {
  return clock.format(at);
}

/** Whole days between two moments, by the calendar of this place. */
function daysAgo(at: number, now: number): number {
  return Math.round((new Date(now).setHours(12, 0, 0, 0) - new Date(at).setHours(12, 0, 0, 0)) / DAY);
}

/** Today, Yesterday, Friday, 3 November … */
export function day(at: number, now: number): string {
  const days = daysAgo(at, now);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  if (days > 1 && days < 7) return weekday.format(at);
  return new Date(at).getFullYear() === new Date(now).getFullYear() ? longDay.format(at) : fullDay.format(at);
}

/** For the end of a row: the time today, else the day, as short as can be. */
export function when(at: number, now: number): string {
  const days = daysAgo(at, now);
  if (days === 0) return time(at);
  if (days === 1) return "Yesterday";
  if (days > 1 && days < 7) return weekday.format(at).slice(0, 3);
  return shortDay.format(at);
}

/** 20 November 2026 */
export function date(at: number): string {
  return fullDay.format(at);
}

export function localpart(jid: string): string {
  return jid.split("@", 1)[0] ?? jid;
}

/** What to call somebody: their name, else the part of the address before the @. */
export function nameOf(contact: Pick<Contact, "name" | "jid">): string {
  return contact.name.trim() || localpart(contact.jid);
}

/** A name within an attribute, where no element can isolate its writing direction: U+2068 … U+2069 do. */
export function isolated(name: string): string {
  return `\u2068${name}\u2069`;
}

export function plural(count: number, one: string, many: string): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

export const deliveryWords: Record<DeliveryState, string> = {
  queued: "Waiting for the connection",
  sending: "Sending",
  sent: "Sent",
  delivered: "Delivered",
  read: "Read",
  failed: "Not sent",
};

export const presenceWords: Record<Contact["availability"], string> = {
  unknown: "",
  offline: "Offline",
  online: "Online",
  away: "Away",
  dnd: "Do not disturb",
};

export const signedOutWords: Record<SignedOutReason, string> = {
  none: "",
  "signed-out": "You are signed out. Nothing of your chats is left in this browser.",
  expired: "Your session has ended. Log in again to go on.",
  "other-account": "Somebody else is logged in on this page, so the chat has been signed out.",
  "popup-closed": "The login window was closed before it was finished.",
};
