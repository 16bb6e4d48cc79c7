/**
 * Own messages until the server has them. Nothing is lost: an entry stays, in the browser's storage too, until the
 * server acknowledged it or the archive shows it. Nothing is doubled: an entry whose stream died unacknowledged is
 * looked up in the archive before it is sent again, with the same id.
 *
 * One case stays open. A server archives a message for its sender before it does so for the recipient, and may be
 * killed in between. It works in order, so only the last message that it archived can have met that fate; unless the
 * recipient confirmed it, that one is sent again. The same id lets the recipient's client see that it has it already.
 */
import type { Archive } from "./archive.ts";
import type { Env } from "./env.ts";
import type { Link } from "./link.ts";
import type { Cell } from "./state/cell.ts";
import { inConversation, withConversation } from "./state/cell.ts";
import { addMessages, setDelivery } from "./state/messages.ts";
import { isRecord, type Store } from "./storage.ts";
import { textMessage } from "./xmpp/message.ts";

interface Entry {
  readonly id: string;
  readonly to: string;
  readonly body: string;
  readonly at: number;
  /** waiting: never sent. sent: on a stream, not acknowledged. uncertain: that stream is gone. */
  readonly state: "waiting" | "sent" | "uncertain";
  /** Newest archive id that was known when it was sent, "" if none: where to look for it. */
  readonly since: string;
}

const PAGE = 100;
const MAX_PAGES = 20;

export class Outbox {
  readonly #env: Pick<Env, "now" | "id">;
  readonly #cell: Cell;
  readonly #link: Pick<Link, "up" | "send">;
  readonly #archive: Archive;
  readonly #store: Store;
  readonly #sync: () => string;
  #entries: readonly Entry[];
  #ready = false;
  #checking = false;

  /** `sync` gives the newest archive id known. */
  constructor(
    env: Pick<Env, "now" | "id">, cell: Cell, link: Pick<Link, "up" | "send">, archive: Archive, store: Store, sync: () => string,
  ) {
    this.#env = env;
    this.#cell = cell;
    this.#link = link;
    this.#archive = archive;
    this.#store = store;
    this.#sync = sync;
    this.#entries = store.get("outbox", isEntries) ?? [];
    for (const e of this.#entries) this.#show(e);
  }

  /** Queues a text and sends it as soon as that is possible. */
  add(to: string, body: string): void {
    const entry: Entry = { id: this.#env.id(), to, body, at: this.#env.now(), state: "waiting", since: "" };
    this.#show(entry);
    this.#set([...this.#entries, entry]);
    this.#flush();
  }

  /** A stream is up. `unacked` of a resumed session are on their way again; the others arrived. */
  up(resumed: boolean, unacked: readonly string[]): void {
    const sent = this.#entries.filter((e) => e.state === "sent");
    if (resumed) this.acked(sent.filter((e) => !unacked.includes(e.id)).map((e) => e.id));
    else this.#set(this.#entries.map((e) => (e.state === "sent" ? { ...e, state: "uncertain" } : e)));
  }

  down(): void {
    this.#ready = false;
  }

  /** History is caught up: settle what is uncertain, then send what waits. */
  async ready(): Promise<void> {
    this.#ready = true;
    if (this.#checking) return;
    this.#checking = true;
    try {
      while (this.#ready && this.#entries.some((e) => e.state === "uncertain")) await this.#settle();
    } catch {
      return; // the stream ended; the next one looks again
    } finally {
      this.#checking = false;
    }
    this.#flush();
  }

  /** The server has these. */
  acked(ids: readonly string[]): void {
    this.#done(ids);
  }

  /** A message was refused or removed. */
  drop(id: string, to: string): void {
    const left = this.#entries.filter((e) => e.id !== id || e.to !== to);
    if (left.length < this.#entries.length) this.#set(left);
  }

  async #settle(): Promise<void> {
    const open = this.#entries.filter((e) => e.state === "uncertain");
    const found = new Set<string>();
    for (const to of new Set(open.map((e) => e.to))) {
      const since = open.find((e) => e.to === to)?.since ?? "";
      for (const id of await this.#archived(to, since)) found.add(id);
    }
    const last = open.findLast((e) => found.has(e.id));
    this.#done(open.filter((e) => (e !== last && found.has(e.id)) || this.#confirmed(e)).map((e) => e.id));
    this.#set(this.#entries.map((e) => (open.includes(e) ? { ...e, state: "waiting" } : e)));
  }

  /** The recipient sent a receipt or marker for it. */
  #confirmed({ id, to }: Entry): boolean {
    const m = this.#cell.state.conversations.get(to)?.messages.find((o) => o.mine && o.id === id);
    return m?.state === "delivered" || m?.state === "read";
  }

  /** Ids of own messages in the archive, with this person, after that point. */
  async #archived(to: string, since: string): Promise<Set<string>> {
    const found = new Set<string>();
    let after = since;
    for (let i = 0; i < MAX_PAGES; i++) {
      const page = await this.#archive.page(after ? { with: to, after, max: PAGE } : { with: to, before: "", max: PAGE });
      if (page === "gone" && after) {
        after = "";
        continue;
      }
      if (typeof page === "string") break;
      for (const e of page.events) if (e.mine) found.add(e.id);
      if (page.complete || !after) break;
      after = page.last;
    }
    return found;
  }

  #flush(): void {
    if (!this.#ready || !this.#link.up || this.#checking || this.#entries.some((e) => e.state === "uncertain")) return;
    const waiting = this.#entries.filter((e) => e.state === "waiting");
    if (!waiting.length) return;
    const since = this.#sync();
    this.#set(this.#entries.map((e) => (e.state === "waiting" ? { ...e, state: "sent", since } : e)));
    for (const e of waiting) {
      this.#cell.change((s) => inConversation(s, e.to, (c) => setDelivery(c, e.id, "sending")));
      this.#link.send(textMessage(e.to, e.id, e.body, this.#cell.state.consent.typing));
    }
  }

  #done(ids: readonly string[]): void {
    const gone = this.#entries.filter((e) => ids.includes(e.id));
    if (!gone.length) return;
    this.#set(this.#entries.filter((e) => !ids.includes(e.id)));
    for (const e of gone) this.#cell.change((s) => inConversation(s, e.to, (c) => setDelivery(c, e.id, "sent")));
  }

  #show(e: Entry): void {
    const message = {
      key: e.id, id: e.id, stanzaId: "", mine: true, body: e.body, at: e.at, wantsReceipt: false, markable: false,
      state: e.state === "waiting" ? ("queued" as const) : ("sending" as const),
    };
    this.#cell.change((s) => withConversation(s, e.to, (c) => addMessages(c, [message], "end").conversation));
  }

  #set(entries: readonly Entry[]): void {
    this.#entries = entries;
    if (entries.length) this.#store.set("outbox", entries);
    else this.#store.remove("outbox");
  }
}

function isEntries(v: unknown): v is Entry[] {
  const texts = ["id", "to", "body", "since"];
  return Array.isArray(v) && v.every((e) => isRecord(e) && texts.every((k) => typeof e[k] === "string")
    && typeof e["at"] === "number" && ["waiting", "sent", "uncertain"].includes(String(e["state"])));
}
