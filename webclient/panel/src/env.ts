/**
 * Everything the panel's core takes from outside: clock, randomness, timers, network, storage, windows.
 * browser.ts builds it from the real globals, tests build it from fakes.
 */

/** The part of the Storage interface that is used. */
export interface KeyValue {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
  readonly length: number;
  key(index: number): string | null;
}

export interface EventStreamHandlers {
  item(data: string): void;
  end(data: string): void;
  /** The stream broke; `fatal` when the browser will not try again by itself. */
  error(fatal: boolean): void;
}

/** A window opened for login. */
export interface Popup {
  closed(): boolean;
  close(): void;
}

/** The answer to an HTTP request, body already read. `status` 0: no answer (network, abort, timeout). */
export interface Answer {
  readonly status: number;
  /** Parsed JSON, null when there is none or it is not JSON. */
  readonly json: unknown;
  /** Retry-After in seconds, 0 if absent. */
  readonly retryAfter: number;
}

/** storage: another tab of this browser changed the per-browser storage. focus: the person came back. */
export type WindowEvent = "online" | "offline" | "pagehide" | "focus" | "storage";

export interface Env {
  /** Unix milliseconds. */
  now(): number;
  /** Uniform in [0, 1); for jitter. */
  random(): number;
  /** Unguessable id, at least 122 bits. */
  id(): string;
  /** Runs `fn` once after `ms`; the returned function cancels. */
  after(ms: number, fn: () => void): () => void;
  /** Same-origin request with cookies; JSON in, JSON out; never rejects; gives up after 20 s. */
  request(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Server-sent events; the returned function ends them. */
  events(path: string, on: EventStreamHandlers): () => void;
  /** Per-browser storage (localStorage). */
  readonly local: KeyValue;
  /** Per-tab storage (sessionStorage): survives F5, but "duplicate tab" copies it. */
  readonly tab: KeyValue;
  /** The panel stands in a page that will say whose it is. */
  readonly framed: boolean;
  /**
   * Takes the named lock, which is held until the returned function is called or another tab steals it (`lost`).
   * try: null when it is held elsewhere. wait: resolves when it becomes free. steal: takes it from its holder.
   */
  lock(name: string, how: "try" | "wait" | "steal", lost: () => void): Promise<(() => void) | null>;
  online(): boolean;
  listen(event: WindowEvent, fn: () => void): void;
  /** Opens a window, null when blocked. */
  popup(url: string): Popup | null;
  /** Posts to the launcher; no-op when there is none. */
  toHost(message: Readonly<Record<string, unknown>>): void;
}
