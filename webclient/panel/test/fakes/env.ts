/** A deterministic Env: a clock that moves when told, storage in maps, an HTTP side made of functions. */
import type { Answer, Env, EventStreamHandlers, KeyValue, WindowEvent } from "../../src/env.ts";

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly fn: () => void;
}

type Route = (body: unknown) => Answer;

export class MapStorage implements KeyValue {
  readonly map = new Map<string, string>();
  getItem = (key: string): string | null => this.map.get(key) ?? null;
  setItem = (key: string, value: string): void => void this.map.set(key, value);
  removeItem = (key: string): void => void this.map.delete(key);
  key = (i: number): string | null => [...this.map.keys()][i] ?? null;
  get length(): number {
    return this.map.size;
  }
}

/** Locks shared by the tabs of one fake browser. */
export class Locks {
  #holder: { lost: () => void } | null = null;
  readonly #queue: (() => void)[] = [];

  async take(how: "try" | "wait" | "steal", lost: () => void): Promise<(() => void) | null> {
    if (this.#holder && how === "try") return null;
    if (this.#holder && how === "wait") await new Promise<void>((resolve) => this.#queue.push(resolve));
    const old = this.#holder;
    const mine = { lost };
    this.#holder = mine;
    if (how === "steal") old?.lost();
    return () => {
      if (this.#holder !== mine) return;
      this.#holder = null;
      this.#queue.shift()?.();
    };
  }
}

/** Lets everything that is already resolved run, and what follows from it. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export class FakeEnv implements Env {
  time = 1_700_000_000_000;
  isOnline = true;
  blockPopups = false;
  popupClosed = false;
  framed = false;
  readonly requests: string[] = [];
  readonly bodies: unknown[] = [];
  readonly hostMessages: Readonly<Record<string, unknown>>[] = [];
  readonly routes = new Map<string, Route>();
  readonly streams: { path: string; on: EventStreamHandlers; open: boolean }[] = [];
  readonly local: MapStorage;
  readonly tab: MapStorage;
  readonly #locks: Locks;
  readonly #listeners = new Map<WindowEvent, (() => void)[]>();
  #timers: Timer[] = [];
  #order = 0;
  #ids = 0;

  constructor(local = new MapStorage(), tab = new MapStorage(), locks = new Locks()) {
    this.local = local;
    this.tab = tab;
    this.#locks = locks;
  }

  now = (): number => this.time;
  random = (): number => 0.5;
  id = (): string => `id-${++this.#ids}-${this.time}`;
  online = (): boolean => this.isOnline;
  toHost = (m: Readonly<Record<string, unknown>>): void => void this.hostMessages.push(m);
  listen = (event: WindowEvent, fn: () => void): void => void this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), fn]);
  lock = (_name: string, how: "try" | "wait" | "steal", lost: () => void): Promise<(() => void) | null> => this.#locks.take(how, lost);
  popup = (): { closed(): boolean; close(): void } | null => (this.blockPopups ? null : { closed: () => this.popupClosed, close: () => undefined });

  after = (ms: number, fn: () => void): (() => void) => {
    const timer = { at: this.time + ms, order: this.#order++, fn };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((t) => t !== timer);
    };
  };

  request = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    this.requests.push(`${method} ${path}`);
    this.bodies.push(body);
    await Promise.resolve();
    const route = this.routes.get(`${method} ${path.split("?")[0] ?? ""}`);
    return route ? route(body) : { status: 404, json: null, retryAfter: 0 };
  };

  events = (path: string, on: EventStreamHandlers): (() => void) => {
    const stream = { path, on, open: true };
    this.streams.push(stream);
    return () => {
      stream.open = false;
    };
  };

  emit(event: WindowEvent): void {
    for (const fn of this.#listeners.get(event) ?? []) fn();
  }

  /** Moves the clock, running due timers in order and letting promises settle in between. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    for (;;) {
      await settle();
      const next = this.#timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at || a.order - b.order)[0];
      if (!next) break;
      this.time = Math.max(this.time, next.at);
      this.#timers = this.#timers.filter((t) => t !== next);
      next.fn();
    }
    this.time = end;
    await settle();
  }

  get timers(): number {
    return this.#timers.length;
  }
}

export const json = (body: unknown, status = 200, retryAfter = 0): Answer => ({ status, json: body, retryAfter });
