/**
 * The contact list on a stream: roster, presences, subscription requests, and the person's own presence.
 *
 * A resumed stream brings none of this again, so a reload finds presences and requests in the tab's storage.
 */
import type { Env } from "./env.ts";
import type { Link } from "./link.ts";
import type { Availability, IncomingRequest, State } from "./state.ts";
import type { Cell } from "./state/cell.ts";
import { addRequest, applyPresence, applyRoster, availability, forget, type Presences, removeRequest, setPresence } from "./state/contacts.ts";
import { isRecord, type Store } from "./storage.ts";
import type { OnlineInfo } from "./transport.ts";
import { type Change, isSavedVisibility, type SavedVisibility, Visibility } from "./visibility.ts";
import { bare } from "./xmpp/jid.ts";
import { NS } from "./xmpp/ns.ts";
import { readAvailability } from "./xmpp/presence.ts";
import { type RosterItem, rosterGet, rosterItems, rosterPush } from "./xmpp/roster.ts";
import { attr, h, type Xml } from "./xmpp/xml.ts";

/** Roster pushes of an import come by the thousand; the list is redrawn for a batch of them. */
const BATCH_MS = 50;
const SAVE_MS = 300;
const MAX_RESOURCES = 20;
const MAX_REQUESTS = 200;
const MAX_AVATARS = 3_000;
const MAX_AVATAR_URL = 500;

interface Saved extends SavedVisibility {
  readonly presences: readonly (readonly [string, readonly (readonly [string, Availability])[]])[];
  readonly requests: readonly IncomingRequest[];
}

export class Contacts {
  readonly #env: Pick<Env, "now" | "after">;
  readonly #cell: Cell;
  readonly #link: Pick<Link, "up" | "send" | "ask">;
  readonly #tab: Store;
  readonly #local: Store;
  readonly #own: string;
  #presences: Presences = new Map();
  #batch: RosterItem[] = [];
  #saving = false;
  readonly #visibility: Visibility;

  /** `back`: presence was away and is back. */
  constructor(
    env: Pick<Env, "now" | "after">, cell: Cell, link: Pick<Link, "up" | "send" | "ask">, tab: Store, local: Store, own: string, back: () => void,
  ) {
    this.#env = env;
    this.#cell = cell;
    this.#link = link;
    this.#tab = tab;
    this.#local = local;
    this.#own = own;
    this.#visibility = new Visibility(env, cell, link, back, () => this.save());
  }

  /** Sets up a stream: contact list, carbons, own presence. Sent in order; what follows may count on all three. */
  up(info: OnlineInfo): void {
    const loaded = this.#cell.state.rosterLoaded;
    if (!info.resumed) {
      this.#presences = new Map();
      this.#cell.change((s) => ({ ...s, requests: [] }));
    } else if (!loaded) {
      this.#restore();
    }
    this.#visibility.bound(info);
    if (!info.resumed || !loaded) void this.#load();
    if (!info.resumed) this.#link.ask(h("iq", { xmlns: NS.CLIENT, type: "set" }, h("enable", { xmlns: NS.CARBONS }))).catch(ignore);
    this.#visibility.begin(info);
    this.save();
  }

  down(): void {
    this.#flush();
    this.save();
  }

  /** Presence consent changed: walks this stream to the new side (the order is in xmpp/presence.ts). */
  walk(visible: boolean): Promise<void> {
    return this.#visibility.walk(visible);
  }

  presence(x: Xml): void {
    const from = attr(x, "from");
    const jid = bare(from);
    if (!jid || jid === this.#own) return;
    const type = attr(x, "type");
    if (type === "subscribe") this.#asked(jid);
    else if (type === "unsubscribe") this.#requests((r) => removeRequest(r, jid));
    const a = readAvailability(x);
    if (a === null) return;
    if (a !== "offline" && (this.#presences.get(jid)?.size ?? 0) >= MAX_RESOURCES) return;
    const slash = from.indexOf("/");
    this.#presences = setPresence(this.#presences, jid, slash < 0 ? "" : from.slice(slash + 1), a);
    this.#cell.change((s) => {
      const contacts = applyPresence(s.contacts, jid, this.#presences);
      return contacts === s.contacts ? s : { ...s, contacts };
    });
    this.#saveSoon();
  }

  /** A roster push, if it is one and from our own account; answers it. False for any other question. */
  push(iq: Xml): boolean {
    const items = rosterPush(iq, this.#own);
    if (!items) return false;
    const id = attr(iq, "id");
    this.#link.send(h("iq", { xmlns: NS.CLIENT, type: "result", id, to: attr(iq, "from") || undefined }));
    if (this.#batch.length === 0) this.#env.after(BATCH_MS, () => this.#flush());
    this.#batch.push(...items);
    return true;
  }

  accept(jid: string): void {
    if (this.#cell.state.consent.presence === "contacts") this.#change(jid, "subscribed");
  }

  /** Says no to a request, or takes back what was allowed. */
  decline(jid: string): void {
    this.#change(jid, "unsubscribed");
  }

  ask(jid: string): void {
    this.#visibility.change({ jid, type: "subscribe" });
  }

  /** Takes somebody off the list; what was written with them stays. */
  remove(jid: string): void {
    this.#cell.change((s) => forget(s, jid));
    this.#change(jid, "remove");
  }

  #change(jid: string, type: Change["type"]): void {
    this.#requests((r) => removeRequest(r, jid));
    this.#visibility.change({ jid, type });
  }

  /** Pictures of people, known from an import: bare JID → URL. The ones learnt last are kept. */
  avatars(): Readonly<Record<string, string>> {
    return this.#local.get("avatars", isTexts) ?? {};
  }

  rememberAvatars(avatars: Readonly<Record<string, string>>): void {
    const known = Object.entries({ ...this.avatars(), ...avatars }).filter(([, url]) => url.length <= MAX_AVATAR_URL);
    this.#local.set("avatars", Object.fromEntries(known.slice(-MAX_AVATARS)));
  }

  /** Takes over the pictures of those who are contacts: this may be another browser than the one that imported them. */
  refreshAvatars(avatars: Readonly<Record<string, string>>): void {
    const { contacts } = this.#cell.state;
    const fresh = Object.entries(avatars).filter(([jid, url]) => (contacts.get(jid)?.avatar ?? url) !== url);
    if (fresh.length === 0) return;
    this.rememberAvatars(Object.fromEntries(fresh));
    this.#cell.change((s) => {
      const next = new Map(s.contacts);
      for (const [jid, avatar] of fresh) {
        const c = next.get(jid);
        if (c) next.set(jid, { ...c, avatar });
      }
      return { ...s, contacts: next };
    });
  }

  /** Writes what a reload needs; also called when the page goes away. */
  save(): void {
    this.#saving = false;
    const presences = [...this.#presences].map(([jid, r]) => [jid, [...r]] as const);
    this.#tab.set("presence", { presences, requests: this.#cell.state.requests, ...this.#visibility.saved } satisfies Saved);
  }

  async #load(): Promise<void> {
    try {
      const items = rosterItems(await this.#link.ask(rosterGet()));
      if (items) this.#apply(items, true);
    } catch {
      // The stream ended; the next one asks again.
    }
  }

  #flush(): void {
    const items = this.#batch;
    this.#batch = [];
    if (items.length) this.#apply(items, false);
  }

  #apply(items: readonly RosterItem[], replace: boolean): void {
    const context = { presences: this.#presences, avatars: this.avatars(), replace };
    this.#cell.change((s) => {
      const contacts = applyRoster(s.contacts, items, context);
      const seesUs = (jid: string): boolean => /^(from|both)$/.test(contacts.get(jid)?.subscription ?? "");
      const requests = s.requests.some((r) => seesUs(r.jid)) ? s.requests.filter((r) => !seesUs(r.jid)) : s.requests;
      return { ...s, contacts, requests, rosterLoaded: s.rosterLoaded || replace };
    });
  }

  #asked(jid: string): void {
    const known = this.#cell.state.contacts.get(jid)?.subscription;
    if (known === "from" || known === "both" || this.#cell.state.requests.length >= MAX_REQUESTS) return;
    this.#requests((r) => addRequest(r, jid, this.#env.now()));
  }

  #requests(fn: (r: State["requests"]) => State["requests"]): void {
    this.#cell.change((s) => {
      const requests = fn(s.requests);
      return requests === s.requests ? s : { ...s, requests };
    });
    this.#saveSoon();
  }

  #restore(): void {
    const saved = this.#tab.get("presence", isSaved);
    if (!saved) return;
    this.#visibility.restore(saved);
    this.#presences = new Map(saved.presences.map(([jid, r]) => [jid, new Map(r)]));
    this.#cell.change((s) => ({
      ...s,
      requests: saved.requests,
      contacts: new Map([...s.contacts].map(([jid, c]) => [jid, { ...c, availability: availability(this.#presences, jid, c.subscription) }])),
    }));
  }

  #saveSoon(): void {
    if (this.#saving) return;
    this.#saving = true;
    this.#env.after(SAVE_MS, () => this.#saving && this.save());
  }
}

function ignore(): void {
  // Carbons are a convenience.
}

function isTexts(v: unknown): v is Record<string, string> {
  return isRecord(v) && Object.values(v).every((t) => typeof t === "string");
}

function isSaved(v: unknown): v is Saved {
  return isRecord(v) && isSavedVisibility(v) && Array.isArray(v["presences"]) && v["presences"].every((p) => Array.isArray(p) && typeof p[0] === "string" && Array.isArray(p[1]))
    && Array.isArray(v["requests"]) && v["requests"].every((r) => isRecord(r) && typeof r["jid"] === "string");
}
