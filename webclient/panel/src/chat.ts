/** Everything that belongs to one signed-in account's chat, put together: made at sign-in, stopped at sign-out. */
import type { Api, Failure } from "./api.ts";
import { Archive } from "./archive.ts";
import { Contacts } from "./contacts.ts";
import type { Env } from "./env.ts";
import { History } from "./history.ts";
import { Inbox } from "./inbox.ts";
import { Link } from "./link.ts";
import { Outbox } from "./outbox.ts";
import type { Account, Consent } from "./state.ts";
import { type Cell, inConversation, withConversation } from "./state/cell.ts";
import { removeMessage } from "./state/messages.ts";
import { Store } from "./storage.ts";
import { TabGuard } from "./tabs.ts";
import type { OnlineInfo, ResumeStore, Transport } from "./transport.ts";
import { chatState, displayed, readMessage, receipt } from "./xmpp/message.ts";
import { clean, type Xml } from "./xmpp/xml.ts";

/** Longest text that is sent: the server's limit for a stanza is 256 KiB, and four bytes may make a character. */
const MAX_TEXT = 40_000;
const PAUSED_MS = 5_000;

export type MakeTransport = (store: ResumeStore) => Transport;

export class Chat {
  readonly #env: Env;
  readonly #cell: Cell;
  readonly #own: string;
  readonly #stores: readonly Store[];
  #alive = true;
  readonly link: Link;
  readonly contacts: Contacts;
  readonly history: History;
  readonly inbox: Inbox;
  readonly #outbox: Outbox;
  #typingTo = "";
  #stopTyping: () => void = () => undefined;

  constructor(env: Env, api: Api, outer: Cell, account: Account, make: MakeTransport, signedOut: (f: Failure) => void) {
    this.#env = env;
    this.#own = account.jid;
    const cell = this.#guarded(outer);
    this.#cell = cell;
    const local = new Store(env.local, account.id);
    const tab = new Store(env.tab, account.id);
    this.#stores = [local, tab];
    const guard = new TabGuard(env, account.id, local, tab);
    this.link = new Link(env, api, make(resumeStore(tab, guard)), guard, cell, account.jid, {
      up: (info) => this.#up(info),
      down: () => this.#down(),
      stanza: (x) => this.#stanza(x),
      acked: (ids) => this.#outbox.acked(ids),
      consent: (consent) => cell.change((s) => ({ ...s, consent })),
      signedOut,
    });
    const archive = new Archive(this.link, () => env.id());
    this.inbox = new Inbox(env, cell, archive, () => this.#outbox, local, {
      receipt: ({ peer, id, wantsReceipt, mine }) => {
        if (!mine && wantsReceipt && id && this.#confirms(peer)) this.link.send(receipt(peer, env.id(), id));
      },
      read: (jid) => this.#displayed(jid),
    });
    this.#outbox = new Outbox(env, cell, this.link, archive, local, () => this.inbox.sync);
    this.history = new History(env, cell, archive, this.inbox, () => this.#ready());
    this.contacts = new Contacts(env, cell, this.link, tab, local, account.jid, () => void this.history.catchUp());
  }

  /** Ends it all. What is still under way changes nothing any more, neither on the screen nor in the storage. */
  stop(): void {
    this.link.stop(true);
    this.#alive = false;
    for (const s of this.#stores) s.seal();
  }

  attention(seen: boolean): void {
    this.inbox.attention(seen);
    this.history.attention(seen);
  }

  /** Consent was saved; the live stream follows. */
  consentChanged(now: Consent): Promise<void> {
    return this.contacts.walk(now.presence === "contacts");
  }

  /** Opens a conversation: it exists from now on, its history loads, what is unread is read. */
  open(jid: string): void {
    this.#cell.change((s) => withConversation(s, jid, (c) => (c.unread ? c : { ...c, firstUnread: "" })));
    this.inbox.read(jid);
    if (this.#cell.state.conversations.get(jid)?.history === "unknown") void this.history.older(jid);
  }

  draft(jid: string, text: string): void {
    this.#cell.change((s) => withConversation(s, jid, (c) => (c.draft === text ? c : { ...c, draft: text })));
    if (text.trim()) this.#typing(jid);
    else if (this.#typingTo === jid) this.#endTyping("active");
  }

  /** Sends a text; returns false when it is too long. */
  say(jid: string, text: string): boolean {
    const body = clean(text).trim();
    if (!body) return true;
    if (body.length > MAX_TEXT) return false;
    this.#endTyping(null);
    this.#cell.change((s) => withConversation(s, jid, (c) => ({ ...c, draft: "", firstUnread: "" })));
    this.#outbox.add(jid, body);
    return true;
  }

  /** Removes a failed message; with `again` its text is sent anew. */
  settle(jid: string, key: string, again: boolean): void {
    const m = this.#cell.state.conversations.get(jid)?.messages.find((o) => o.key === key);
    if (m?.state !== "failed") return;
    this.#cell.change((s) => inConversation(s, jid, (c) => removeMessage(c, key)));
    this.#outbox.drop(m.id, jid);
    if (again) this.#outbox.add(jid, m.body);
  }

  #up(info: OnlineInfo): void {
    this.#outbox.up(info.resumed, info.unacked);
    this.contacts.up(info);
    this.history.up(info.resumed);
  }

  #ready(): void {
    void this.#outbox.ready();
    const { screen, conversations } = this.#cell.state;
    if (screen.kind === "conversation" && conversations.get(screen.jid)?.history === "unknown") void this.history.older(screen.jid);
  }

  #guarded(outer: Cell): Cell {
    const alive = (): boolean => this.#alive;
    return {
      get state() {
        return outer.state;
      },
      change: (fn) => (alive() ? outer.change(fn) : undefined),
    };
  }

  #down(): void {
    this.#stopTyping();
    this.#typingTo = "";
    this.history.down();
    this.#outbox.down();
    this.contacts.down();
  }

  #stanza(x: Xml): void {
    if (x.name === "presence") this.contacts.presence(x);
    else if (x.name === "iq") {
      if (!this.contacts.push(x)) this.link.refuse(x);
    } else {
      const event = readMessage(x, this.#own);
      if (event) this.inbox.take(event);
    }
  }

  /** Receipts and markers go only to people this person knows, and only with consent. */
  #confirms(jid: string): boolean {
    const s = this.#cell.state;
    return s.consent.receipts && (s.contacts.has(jid) || (s.conversations.get(jid)?.messages.some((m) => m.mine) ?? false));
  }

  #displayed(jid: string): void {
    const last = this.#cell.state.conversations.get(jid)?.messages.findLast((m) => !m.mine);
    if (last?.markable && last.id && this.#confirms(jid)) this.link.send(displayed(jid, this.#env.id(), last.id));
  }

  #typing(jid: string): void {
    if (!this.link.up || !this.#cell.state.consent.typing) return;
    if (this.#typingTo && this.#typingTo !== jid) this.#endTyping("paused");
    if (this.#typingTo !== jid) this.link.send(chatState(jid, "composing"));
    this.#typingTo = jid;
    this.#stopTyping();
    this.#stopTyping = this.#env.after(PAUSED_MS, () => this.#endTyping("paused"));
  }

  #endTyping(state: "paused" | "active" | null): void {
    this.#stopTyping();
    if (this.#typingTo && state) this.link.send(chatState(this.#typingTo, state));
    this.#typingTo = "";
  }
}

const isText = (v: unknown): v is string => typeof v === "string";

/** Resumption state in the tab's storage, handed out only while it is this tab's own. */
function resumeStore(tab: Store, guard: TabGuard): ResumeStore {
  return {
    load: () => (guard.mine() ? tab.get("stream", isText) : null),
    save: (state) => tab.set("stream", state),
    clear: () => tab.remove("stream"),
  };
}
