/**
 * What the panel keeps in the browser, all of it under one prefix so that signing out leaves nothing behind.
 *
 * Per browser (localStorage), keyed by account id: the outbox, how far each conversation was read, pictures of
 * imported people. Per tab (sessionStorage), keyed by account id: what resuming a stream needs, and what it does not
 * bring again (presences, requests). Storage that is full or forbidden costs convenience, never function.
 */
import type { Env, KeyValue } from "./env.ts";

const PREFIX = "trunkline:";

export class Store {
  readonly #kv: KeyValue;
  readonly #account: string;
  #sealed = false;

  constructor(kv: KeyValue, account: string) {
    this.#kv = kv;
    this.#account = account;
  }

  /** Reads one value; null when absent, broken or of another shape than `check` accepts. */
  get<T>(name: string, check: (v: unknown) => v is T): T | null {
    try {
      const raw = this.#kv.getItem(this.#key(name));
      const value: unknown = raw === null ? null : JSON.parse(raw);
      return check(value) ? value : null;
    } catch {
      return null;
    }
  }

  /** From now on nothing is written: what is still under way must not leave traces after a sign-out. */
  seal(): void {
    this.#sealed = true;
  }

  set(name: string, value: unknown): void {
    if (this.#sealed) return;
    try {
      this.#kv.setItem(this.#key(name), JSON.stringify(value));
    } catch {
      // Full or forbidden: the panel works on without it.
    }
  }

  remove(name: string): void {
    try {
      this.#kv.removeItem(this.#key(name));
    } catch {
      // As above.
    }
  }

  #key(name: string): string {
    return `${PREFIX}${this.#account}:${name}`;
  }
}

/** Removes every trace of every account from this tab and this browser. */
export function purge(env: Env): void {
  for (const kv of [env.tab, env.local]) purgeOne(kv, () => true);
}

/** Removes what other accounts than this one left, e.g. when a session ended while the browser was closed. */
export function purgeOthers(env: Env, account: string): void {
  for (const kv of [env.tab, env.local]) purgeOne(kv, (key) => !key.startsWith(`${PREFIX}${account}:`));
}

function purgeOne(kv: KeyValue, doomed: (key: string) => boolean): void {
  try {
    const keys = Array.from({ length: kv.length }, (_, i) => kv.key(i));
    for (const key of keys) if (key?.startsWith(PREFIX) && doomed(key)) kv.removeItem(key);
  } catch {
    // Forbidden storage holds nothing of ours.
  }
}

export function isRecord(v: unknown): v is Record<string, unknown> {
  return typeof v === "object" && v !== null && !Array.isArray(v);
}
