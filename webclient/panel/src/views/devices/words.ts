// What is said of a device and its times.
import { date, plural } from "../words.ts";
import type { Device, Service } from "../../devices/devices.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

export const serviceWords: Record<Service, string> = { xmpp: "Chat app", sip: "SIP phone" };

/** How long ago, coarsely: the server knows no better, and nobody needs to. */
export function ago(at: number, now: number): string {
  const past = now - at;
  if (past < HOUR) return "less than an hour ago";
  if (past < DAY) return `${plural(Math.floor(past / HOUR), "hour", "hours")} ago`;
  const days = Math.floor(past / DAY);
  if (days < 60) return days === 1 ? "yesterday" : `${days} days ago`;
  return days < 730 ? `${Math.floor(days / 30)} months ago` : `${Math.floor(days / 365)} years ago`;
}

// Through which door a device came, in words for people; a door that is not named here is not told.
const doors: Readonly<Record<string, string>> = {
  prosody: "at the chat server",
  extauth: "at the chat server",
  auth_http: "at the chat server",
  oauth: "over OAuth",
  ldap: "over LDAP",
  sip: "at the phone server",
  gateway: "in a browser",
};

/** "Last used 3 days ago from 203.0.113.0/24, at the chat server" */
export function lastUse({ service, lastUsedAt, lastUsedFrom, lastUsedBy }: Device, now: number): string {
  // A phone server reads the passwords by itself and does not say when.
  if (!lastUsedAt) return service === "sip" ? "When a phone was last used is not known" : "Never used";
  const door = doors[lastUsedBy];
  return `Last used ${ago(lastUsedAt, now)}${lastUsedFrom && ` from ${lastUsedFrom}`}${door ? `, ${door}` : ""}`;
}

export function made({ createdAt }: Device): string {
  return createdAt ? `Made on ${date(createdAt)}` : "";
}
