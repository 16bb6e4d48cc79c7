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

/** A server-sent events stream; close() ends it. */
export interface EventStream {
  close(): void;
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

export interface Env {
  /** Unix milliseconds. */
  now(): number;
  /** Uniform in [0, 1); for jitter. */
  random(): number;
  /** Unguessable id, at least 122 bits. */
  id(): string;
  /** Runs `fn` once after `ms`; the returned function cancels. */
  after(ms: number, fn: () => void): () => void;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  events(path: string, on: EventStreamHandlers): EventStream;
  /** Per-browser storage (localStorage). */
  readonly local: KeyValue;
  /** Per-tab storage (sessionStorage). */
  readonly tab: KeyValue;
  /** window.name: survives F5, is not copied by "duplicate tab". */
  tabName(): string;
  setTabName(name: string): void;
  /**
   * Holds the named lock until `release` is called. `lost` fires when another tab stole it.
   * Resolves to null when it is held elsewhere and `steal` is false.
   */
  lock(name: string, steal: boolean, lost: () => void): Promise<{ release(): void } | null>;
  online(): boolean;
  /** Opens a window, null when blocked. */
  popup(url: string): Popup | null;
  /** URL of the page around the panel, '' if unknown. */
  /** Posts to the launcher; no-op when there is none. */
  toHost(message: Readonly<Record<string, unknown>>): void;
  /** Loads the panel afresh (after sign-out by another account). */
  log(word: string, detail?: unknown): void;
}
