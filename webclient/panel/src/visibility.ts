/**
 * The person's own presence on a stream, and what they tell others about it: one operation after the other, never two
 * at a time. A stream that breaks in the middle of one leaves the side it was on unknown; the next stream is brought to
 * the right side first, and what was not finished is said again, which does no harm.
 */
import type { Env } from "./env.ts";
import type { Link } from "./link.ts";
import type { Delivery } from "./state.ts";
import type { Cell } from "./state/cell.ts";
import { isRecord } from "./storage.ts";
import type { OnlineInfo } from "./transport.ts";
import { StreamLost } from "./xmpp/iq.ts";
import { NS } from "./xmpp/ns.ts";
import { available, goHidden, goVisible, stepOut, subscriptionStanza } from "./xmpp/presence.ts";
import { rosterRemove } from "./xmpp/roster.ts";
import { attr, child } from "./xmpp/xml.ts";

/** visible: shown to contacts. live, archive: hidden, see Delivery. between: on the way, or cut off on the way. */
type Side = "visible" | Delivery | "between";

/** Something to be told to, or done about, one person. */
export interface Change {
  readonly jid: string;
  readonly type: "subscribe" | "subscribed" | "unsubscribed" | "remove";
}

/** What a reload that resumes the stream needs. */
export interface SavedVisibility {
  readonly side: Side;
  readonly changes: readonly Change[];
}

const RETRY_MS = 5_000;

export class Visibility {
  readonly #env: Pick<Env, "after">;
  readonly #cell: Cell;
  readonly #link: Pick<Link, "up" | "send" | "ask">;
  /** Presence was away and is back: what came meanwhile may be in the archive only. */
  readonly #back: () => void;
  readonly #save: () => void;
  #side: Side = "between";
  #visible = false;
  #changes: readonly Change[] = [];
  #busy = false;
  #turn: Promise<void> = Promise.resolve();

  constructor(env: Pick<Env, "after">, cell: Cell, link: Pick<Link, "up" | "send" | "ask">, back: () => void, save: () => void) {
    this.#env = env;
    this.#cell = cell;
    this.#link = link;
    this.#back = back;
    this.#save = save;
  }

  get saved(): SavedVisibility {
    return { side: this.#side, changes: this.#changes };
  }

  restore(saved: SavedVisibility): void {
    this.#side = saved.side;
    this.#changes = saved.changes;
  }

  /** A stream was bound or resumed; nothing is sent yet. */
  bound(info: OnlineInfo): void {
    const consent = this.#cell.state.consent.presence === "contacts";
    // Without word from the gateway, presence waits for consent all the same.
    if (!info.resumed) this.#side = info.hidden ?? (consent ? "visible" : "archive");
    this.#visible = info.resumed ? consent : this.#side === "visible";
    this.#deliver();
  }

  /** Sends the first presence of a fresh stream, and does what is left to do. */
  begin(info: OnlineInfo): void {
    if (!info.resumed && this.#side !== "archive") this.#link.send(available());
    void this.#run();
  }

  /** Brings this stream to the side that was consented to. */
  walk(visible: boolean): Promise<void> {
    this.#visible = visible;
    return this.#run();
  }

  /** Done in order, now or on the next stream. */
  change(change: Change): void {
    if (!this.#changes.some((c) => c.jid === change.jid && c.type === change.type)) this.#changes = [...this.#changes, change];
    this.#save();
    void this.#run();
  }

  #run(): Promise<void> {
    if (!this.#busy) this.#turn = this.#work();
    return this.#turn;
  }

  async #work(): Promise<void> {
    this.#busy = true;
    try {
      while (this.#link.up) {
        const hidden = this.#side === "live" || this.#side === "archive";
        if (this.#visible ? this.#side !== "visible" : !hidden) await this.#cross();
        else if (this.#changes.length) await this.#tell();
        else break;
      }
    } catch {
      // The stream ended, and the next one goes on from here. If it is still there, the server was slow to answer.
      if (this.#link.up) this.#env.after(RETRY_MS, () => void this.#run());
    } finally {
      this.#busy = false;
    }
  }

  async #cross(): Promise<void> {
    const from = this.#side;
    const visible = this.#visible;
    this.#arrive("between");
    if (!visible) return this.#arrive(await goHidden(this.#link));
    const shown = await goVisible(this.#link, from !== "archive");
    if (!shown) this.#visible = false; // the gateway knows of a newer choice than we do
    this.#arrive(shown ? "visible" : "live");
  }

  async #tell(): Promise<void> {
    const changes = this.#changes;
    const say = (): Promise<void> => this.#say(changes.filter((c) => c.type !== "subscribed" || this.#visible));
    if (this.#side === "live") {
      this.#arrive("between");
      const delivery = await stepOut(this.#link, say);
      this.#arrive(delivery ?? "live");
      if (!delivery) this.#notice("This cannot be done while nobody sees when you are online.");
    } else {
      await say();
    }
    this.#changes = this.#changes.slice(changes.length);
    this.#save();
  }

  async #say(changes: readonly Change[]): Promise<void> {
    for (const { jid, type } of changes) {
      if (type !== "remove") {
        this.#link.send(subscriptionStanza(jid, type));
        continue;
      }
      const answer = await this.#link.ask(rosterRemove(jid));
      const gone = attr(answer, "type") === "result" || child(child(answer, "error"), "item-not-found", NS.STANZAS);
      if (!gone) this.#notice("Your server did not remove this contact. Try again.");
    }
  }

  #arrive(side: Side): void {
    if (!this.#link.up) throw new StreamLost(); // the last step of the walk went nowhere
    this.#side = side;
    this.#save();
    if (side === "between") return;
    this.#deliver();
    this.#back();
  }

  #deliver(): void {
    const delivery = this.#side === "archive" ? "archive" : "live";
    this.#cell.change((s) => (s.delivery === delivery ? s : { ...s, delivery }));
  }

  #notice(notice: string): void {
    this.#cell.change((s) => ({ ...s, notice }));
  }
}

const SIDES: readonly unknown[] = ["visible", "live", "archive", "between"];
const TYPES: readonly unknown[] = ["subscribe", "subscribed", "unsubscribed", "remove"];

export function isSavedVisibility(v: unknown): v is SavedVisibility {
  return isRecord(v) && SIDES.includes(v["side"]) && Array.isArray(v["changes"])
    && v["changes"].every((c) => isRecord(c) && typeof c["jid"] === "string" && TYPES.includes(c["type"]));
}
