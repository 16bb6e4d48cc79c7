/** Asks the archive and collects what belongs to the answer: results come as messages before the final reply. */
import type { Link } from "./link.ts";
import { archivePage, archiveQuery, type ArchivePage, type ArchiveQuery } from "./xmpp/mam.ts";
import type { ChatEvent } from "./xmpp/message.ts";
import { stanzaError } from "./xmpp/xml.ts";

export interface ArchiveAnswer extends ArchivePage {
  readonly events: readonly ChatEvent[];
}

/** A page, or why there is none. gone: the id to page from is no longer in the archive. */
export type Page = ArchiveAnswer | "gone" | "refused";

export class Archive {
  readonly #link: Pick<Link, "ask">;
  readonly #newId: () => string;
  readonly #open = new Map<string, ChatEvent[]>();

  constructor(link: Pick<Link, "ask">, newId: () => string) {
    this.#link = link;
    this.#newId = newId;
  }

  /** One page; rejects with StreamLost when the stream ends first. */
  async page(q: ArchiveQuery): Promise<Page> {
    const id = this.#newId();
    const events: ChatEvent[] = [];
    this.#open.set(id, events);
    try {
      const answer = await this.#link.ask(archiveQuery(q, id));
      const page = archivePage(answer);
      if (page) return { ...page, events };
      return stanzaError(answer).condition === "item-not-found" ? "gone" : "refused";
    } finally {
      this.#open.delete(id);
    }
  }

  /** Takes a result that came in; one that answers no open query is dropped. */
  collect(event: ChatEvent): void {
    this.#open.get(event.queryId)?.push(event);
  }
}
