/**
 * Questions and answers (RFC 6120 §8.2.3). An answer counts only when its id was asked and its sender is the one
 * that was asked; our own questions without `to` are answered by our own account.
 */
import { NS } from "./ns.ts";
import { attr, child, h, type Xml } from "./xml.ts";

interface Pending {
  readonly from: readonly string[];
  readonly done: (answer: Xml | null) => void;
}

export class StreamLost extends Error {
  constructor() {
    super("the stream ended before the answer came");
    this.name = "StreamLost";
  }
}

/** Keeps the questions of one session that wait for an answer. */
export class Questions {
  readonly #pending = new Map<string, Pending>();
  readonly #own: () => string;

  /** `own` gives our full JID. */
  constructor(own: () => string) {
    this.#own = own;
  }

  /** Registers the question; `iq` must have an id. Resolves with result or error stanza. */
  wait(iq: Xml, giveUp: (fn: () => void) => () => void): Promise<Xml> {
    const id = attr(iq, "id");
    const full = this.#own();
    const account = full.split("/")[0] ?? "";
    const to = attr(iq, "to");
    const from = to ? [to.toLowerCase()] : ["", account, full.toLowerCase(), account.slice(account.indexOf("@") + 1)];
    return new Promise((resolve, reject) => {
      const cancel = giveUp(() => this.#settle(id, null));
      const done = (answer: Xml | null): void => {
        cancel();
        if (answer) resolve(answer);
        else reject(new StreamLost());
      };
      this.#pending.set(id, { from, done });
    });
  }

  /** Offers an incoming result or error; true when it answered a question. */
  answer(iq: Xml): boolean {
    const id = attr(iq, "id");
    const p = this.#pending.get(id);
    const type = attr(iq, "type");
    if (!p || (type !== "result" && type !== "error") || !p.from.includes(attr(iq, "from").toLowerCase())) return false;
    this.#settle(id, iq);
    return true;
  }

  /** Rejects everything that still waits. */
  abandon(): void {
    for (const id of [...this.#pending.keys()]) this.#settle(id, null);
  }

  #settle(id: string, answer: Xml | null): void {
    const p = this.#pending.get(id);
    this.#pending.delete(id);
    p?.done(answer);
  }
}

/** Answers somebody's get or set: our server's ping (XEP-0199) truthfully, all else as an offline resource would. */
export function reply(iq: Xml, own: string): Xml {
  const from = attr(iq, "from").toLowerCase();
  const server = from === "" || from === own || from === own.slice(own.indexOf("@") + 1);
  const envelope = { xmlns: NS.CLIENT, id: attr(iq, "id"), to: attr(iq, "from") || undefined };
  if (server && child(iq, "ping", NS.PING)) return h("iq", { ...envelope, type: "result" });
  return h(
    "iq",
    { ...envelope, type: "error" },
    h("error", { type: "cancel" }, h("service-unavailable", { xmlns: NS.STANZAS })),
  );
}
