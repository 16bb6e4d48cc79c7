/**
 * What happens on the page "Apps & devices": the list, a new password, a removal. One Keeper lives as long as the page is
 * shown. The secret of a new password is in its state and nowhere else, from the answer until forget() or stop();
 * nothing is stored, logged or put into an address.
 *
 * Nothing here throws or knows a view; what goes wrong is told in the state.
 */
import type { Ask, Failure } from "../api.ts";
import { lastly, type Listing, type Made, readListing, readMade, type Service, wrongName } from "./devices.ts";

/** Something that did not work, as a sentence. */
export interface Trouble {
  readonly text: string;
  /** Not before this moment is it of use to try again; 0: at once. */
  readonly until: number;
}

export interface State {
  /** unavailable: this server has no device passwords. */
  readonly loading: "loading" | "done" | "failed" | "unavailable";
  readonly listing: Listing | null;
  readonly view: "list" | "form" | "made";
  readonly name: string;
  readonly service: Service;
  /** A password is being made, or the one in `asked` removed. */
  readonly busy: boolean;
  readonly trouble: Trouble | null;
  readonly made: Made | null;
  /** Leaving the view "made" was tried and awaits an answer. */
  readonly leaving: boolean;
  /** Id of the password whose removal awaits an answer, '' if none. */
  readonly asked: string;
  /** For the ears: what has just happened. */
  readonly said: string;
}

export const initial: State = {
  loading: "loading", listing: null, view: "list", name: "", service: "xmpp", busy: false, trouble: null, made: null, leaving: false, asked: "", said: "",
};

export interface KeeperEvents {
  changed(state: State): void;
  /** Something to be told outside of the page, after it was left. */
  tell(notice: string): void;
}

const PATH = "/api/v1/devices";
const WAIT_S = 60; // when the server names no time

export class Keeper {
  readonly #ask: Ask;
  readonly #now: () => number;
  readonly #on: KeeperEvents;
  #state = initial;
  #stopped = false;

  constructor(ask: Ask, now: () => number, on: KeeperEvents) {
    this.#ask = ask;
    this.#now = now;
    this.#on = on;
  }

  get state(): State {
    return this.#state;
  }

  /** Gets the list, anew if it is there. */
  load = async (): Promise<void> => {
    this.#change({ loading: this.#state.listing ? "done" : "loading", trouble: null });
    await this.#refresh();
  };

  /** Opens the form. */
  begin = (): void => {
    if (!this.#state.listing) return;
    this.#change({ view: "form", name: "", service: this.#state.listing.services[0]?.service ?? "xmpp", trouble: null, asked: "", said: "" });
  };

  edit = (part: Partial<Pick<State, "name" | "service">>): void => {
    const { trouble } = this.#state;
    this.#change({ ...part, trouble: trouble && trouble.until > this.#now() ? trouble : null });
  };

  create = async (): Promise<void> => {
    const { name, service, busy } = this.#state;
    if (busy || wrongName(name)) return;
    this.#change({ busy: true, trouble: null });
    const r = await this.#ask("POST", PATH, readMade, { name: name.trim(), service });
    if (this.#stopped) {
      if (r.ok) this.#on.tell(`A password for “${name.trim()}” was made, but you had left before it could be shown. Remove it, and make a new one.`);
      return;
    }
    if (r.ok) {
      const { listing } = this.#state;
      const devices = [r.value.device, ...(listing?.devices ?? [])];
      return this.#change({ busy: false, view: "made", made: r.value, listing: listing && { ...listing, devices } });
    }
    this.#change({ busy: false, trouble: this.#trouble(r, lost(name.trim())) });
    if (unsure(r) || r.code === "bad_service" || r.code === "too_many_devices") await this.#refresh();
  };

  /** Back from wherever one is on the page. False: that leads out of it. */
  back = (): boolean => {
    if (this.#state.view === "list") return false;
    if (this.#state.view === "made") this.#change({ leaving: true });
    else this.#change({ view: "list", trouble: null });
    return true;
  };

  stay = (): void => this.#change({ leaving: false });

  /** The new password has been saved, or is given up: its secret is forgotten. */
  forget = (said = ""): void => {
    if (this.#state.view === "made") this.#change({ view: "list", made: null, name: "", leaving: false, trouble: null, said });
  };

  /** Asks whether to remove; '' takes the question back. */
  askToRemove = (id: string): void => {
    if (!this.#state.busy) this.#change({ asked: id, trouble: null, said: "" });
  };

  remove = async (): Promise<void> => {
    const { asked: id, busy, listing } = this.#state;
    const device = listing?.devices.find((d) => d.id === id);
    if (!device || busy) return;
    this.#change({ busy: true, trouble: null });
    const r = await this.#ask("DELETE", `${PATH}/${encodeURIComponent(id)}`, () => true as const);
    if (!r.ok && r.code !== "not_found") return this.#change({ busy: false, trouble: this.#trouble(r, UNSURE) });
    const now = this.#state.listing;
    this.#change({
      busy: false, asked: "", said: `“${device.name}” is removed. ${lastly(device)}`,
      listing: now && { ...now, devices: now.devices.filter((d) => d.id !== id) },
    });
  };

  /** The page is gone. A secret that was still shown is forgotten, and that is told. */
  stop = (): void => {
    const { made } = this.#state;
    this.#stopped = true;
    this.#state = initial;
    if (made) {
      const { name } = made.device;
      this.#on.tell(`You left before you said that the password of “${name}” is saved. If you do not have it, remove “${name}” and make a new one.`);
    }
  };

  async #refresh(): Promise<void> {
    const r = await this.#ask("GET", PATH, readListing);
    if (r.ok) return this.#change({ listing: r.value, loading: "done" });
    if (this.#state.listing) return;
    if (r.code === "not_available" || r.code === "not_found") this.#change({ loading: "unavailable" });
    else this.#change({ loading: "failed", trouble: this.#trouble(r, "The list did not come.") });
  }

  #change(part: Partial<State>): void {
    if (this.#stopped) return;
    this.#state = { ...this.#state, ...part };
    this.#on.changed(this.#state);
  }

  /** `lost`: what to say when nobody can tell whether it was done. */
  #trouble(f: Failure, lost: string): Trouble {
    const wait = f.retryAfter || (f.why === "busy" ? WAIT_S : 0);
    const text = sentences[f.code] ?? (unsure(f) ? lost : f.message || (f.why === "busy" ? BUSY : "That did not work. Try again."));
    return { text, until: wait ? this.#now() + wait * 1000 : 0 };
  }
}

/** Whether what was asked for may have been done all the same. */
function unsure({ why, code }: Failure): boolean {
  return why === "down" && ["", "internal", "unavailable"].includes(code);
}

const BUSY = "That was a lot in a short time. Wait a little, then try again.";
const lost = (name: string): string => `No answer came. Look at your list before you try again: if “${name}” stands there, remove it, because its password was never shown.`;
const UNSURE = "No answer came, so it may still work. Try again.";

const sentences: Readonly<Record<string, string>> = {
  rate_limited: BUSY,
  too_many_devices: "You have as many device passwords as one person can have. Remove one first.",
  bad_name: "This name cannot be used. Take another one.",
  bad_service: "Your server does not offer this any more. Choose something else.",
};
