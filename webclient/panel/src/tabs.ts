/**
 * One connection per browser and account.
 *
 * "Duplicate tab" copies sessionStorage, and two tabs that resume the same stream throw each other out for ever. Two
 * guards: a Web Lock per account, held as long as a tab is connected; and a nonce written at each fresh bind both to
 * the tab's resumption state and to the browser's storage, so that a copied or outlived state is recognised.
 */
import type { Env } from "./env.ts";
import type { Store } from "./storage.ts";

const isText = (v: unknown): v is string => typeof v === "string";

export class TabGuard {
  readonly #env: Env;
  readonly #account: string;
  readonly #local: Store;
  readonly #tab: Store;
  #release: (() => void) | null = null;

  constructor(env: Env, account: string, local: Store, tab: Store) {
    this.#env = env;
    this.#account = account;
    this.#local = local;
    this.#tab = tab;
  }

  /** Takes the lock; false when (for "try") another tab has it. `lost` fires when a tab takes it over later. */
  async acquire(how: "try" | "wait" | "steal", lost: () => void): Promise<boolean> {
    if (this.#release) return true;
    const release = await this.#env.lock(`trunkline:${this.#account}`, how, () => {
      this.#release = null;
      lost();
    });
    if (this.#release) release?.(); // a second request came through meanwhile
    else this.#release = release;
    return this.#release !== null;
  }

  release(): void {
    this.#release?.();
    this.#release = null;
  }

  /** Marks this tab's stream as the account's present one. */
  claim(): void {
    const nonce = this.#env.id();
    this.#tab.set("nonce", nonce);
    this.#local.set("nonce", nonce);
  }

  /** Gives up what this tab could resume. */
  disown(): void {
    this.#tab.remove("nonce");
  }

  /** Whether the tab's resumption state belongs to the stream that was claimed last. */
  mine(): boolean {
    const nonce = this.#tab.get("nonce", isText);
    return nonce !== null && nonce === this.#local.get("nonce", isText);
  }
}
