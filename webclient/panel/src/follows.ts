/** The people step: streams the pages of follows in, starts the import, and follows its progress. */
import { type Api, type Failure, readImportItem } from "./api.ts";
import { delay } from "./backoff.ts";
import type { Env } from "./env.ts";
import { type Follow, type ImportProgress, NO_PEOPLE, type People } from "./state.ts";
import type { Cell } from "./state/cell.ts";
import { addItem, addPage } from "./state/people.ts";
import { isRecord } from "./storage.ts";

const MAX_PAGES = 1_000;

export interface FollowsEvents {
  /** Pictures of the people that were picked: bare JID → URL. */
  picked(avatars: Readonly<Record<string, string>>): void;
  /** Pictures of the people on a page, whoever they are. */
  met(avatars: Readonly<Record<string, string>>): void;
  signedOut(f: Failure): void;
}

export class Follows {
  readonly #env: Env;
  readonly #api: Api;
  readonly #cell: Cell;
  readonly #on: FollowsEvents;
  #generation = 0;
  #cursor = "";
  /** Key of the import being asked for: the same key means the same job, so a repeated request is harmless. */
  #key = "";
  #stopEvents: () => void = () => undefined;

  constructor(env: Env, api: Api, cell: Cell, on: FollowsEvents) {
    this.#env = env;
    this.#api = api;
    this.#cell = cell;
    this.#on = on;
  }

  change(fn: (p: People) => People): void {
    this.#cell.change((s) => ({ ...s, people: fn(s.people) }));
  }

  /** Loads all pages, unless that is under way or done. */
  load(): void {
    const status = this.#cell.state.people.status;
    if (status === "loading" || status === "waiting" || status === "done") return;
    this.change((p) => ({ ...p, status: "loading", message: "" }));
    void this.#pages(++this.#generation);
  }

  /** Starts the step anew, selection and progress forgotten. */
  restart(): void {
    this.stop();
    this.change((p) => (p.status === "done" ? { ...NO_PEOPLE, status: "done", people: p.people } : NO_PEOPLE));
    if (this.#cell.state.people.status !== "done") this.#cursor = "";
    this.load();
  }

  stop(): void {
    this.#generation += 1;
    this.#stopEvents();
    this.#stopEvents = () => undefined;
  }

  async start(): Promise<void> {
    const { selected, subscribe, people, starting } = this.#cell.state.people;
    if (selected.size === 0 || starting) return;
    this.change((p) => ({ ...p, starting: true, message: "" }));
    this.#key ||= this.#env.id();
    const generation = this.#generation;
    const picked = people.filter((f) => selected.has(f.id));
    const r = await this.#api.startImport(this.#key, picked.map((f) => ({ id: f.id, subscribe: subscribe.has(f.id) })));
    if (generation !== this.#generation) return;
    this.change((p) => ({ ...p, starting: false }));
    if (!r.ok) {
      if (r.why === "signed-out") this.#on.signedOut(r);
      else this.change((p) => ({ ...p, message: r.message || "The import could not be started. Try again." }));
      return;
    }
    this.#key = "";
    this.#on.picked(pictures(picked));
    this.#progress({ id: r.value.id, total: r.value.total, done: 0, finished: false, items: [], error: "" });
    this.#watch(r.value.id);
  }

  /** Follows an import that was under way when the panel was loaded. */
  async follow(id: string): Promise<void> {
    this.#progress({ id, total: 0, done: 0, finished: false, items: [], error: "" });
    await this.#report(id);
    if (this.#cell.state.people.progress?.finished === false) this.#watch(id);
  }

  async #pages(generation: number): Promise<void> {
    for (let i = 0, failures = 0; i < MAX_PAGES; i++) {
      const r = await this.#api.follows(this.#cursor);
      if (generation !== this.#generation) return;
      if (r.ok) {
        failures = 0;
        const next = r.value.next;
        const done = next === "" || next === this.#cursor;
        this.change((p) => addPage(p, r.value.people, done));
        this.#on.met(pictures(r.value.people));
        if (done) return;
        this.#cursor = next;
        continue;
      }
      if (r.why === "signed-out") return this.#on.signedOut(r);
      if (r.why !== "busy" || ++failures > 5) {
        const message = r.message || "The people you follow could not be loaded.";
        return this.change((p) => ({ ...p, status: r.why === "again" ? "login-again" : "error", message }));
      }
      await this.#pause(delay(failures + 2, this.#env.random(), r.retryAfter * 1000), r.message);
      if (generation !== this.#generation) return;
    }
    this.change((p) => ({ ...p, status: "done" }));
  }

  #pause(ms: number, message: string): Promise<void> {
    this.change((p) => ({ ...p, status: "waiting", retryAt: this.#env.now() + ms, message }));
    return new Promise((resolve) => this.#env.after(ms, resolve));
  }

  #watch(id: string): void {
    this.#stopEvents();
    this.#stopEvents = this.#env.events(`/api/v1/imports/${encodeURIComponent(id)}/events`, {
      item: (data) => this.#item(id, data),
      end: () => {
        this.#stopEvents();
        void this.#report(id);
      },
      error: (fatal) => {
        if (fatal) void this.#again(id);
      },
    });
  }

  #item(id: string, data: string): void {
    const json = parse(data);
    const item = readImportItem(json);
    if (!item || !isRecord(json)) return;
    const name = item.name || this.#cell.state.people.people.find((f) => f.id === item.id)?.displayName || "";
    this.change((p) => {
      if (p.progress?.id !== id) return p;
      return { ...p, progress: addItem(p.progress, { ...item, name }, Number(json["done"]) || 0, Number(json["total"]) || 0) };
    });
  }

  /** The event stream is gone for good: ask how far it is, and follow on if it goes on. */
  async #again(id: string): Promise<void> {
    const generation = this.#generation;
    await new Promise<void>((resolve) => this.#env.after(3_000, resolve));
    if (generation !== this.#generation) return;
    await this.#report(id);
    if (generation === this.#generation && this.#cell.state.people.progress?.finished === false) this.#watch(id);
  }

  async #report(id: string): Promise<void> {
    const generation = this.#generation;
    const r = await this.#api.importReport(id);
    if (generation !== this.#generation) return;
    if (!r.ok && r.why === "signed-out") return this.#on.signedOut(r);
    this.change((p) => {
      if (p.progress?.id !== id) return p;
      if (!r.ok) return { ...p, progress: { ...p.progress, error: r.message || "The progress cannot be shown right now." } };
      const items = r.value.items.filter((i) => i.status !== "pending");
      return { ...p, progress: { ...r.value, items, error: "" } };
    });
  }

  #progress(progress: ImportProgress): void {
    this.change((p) => ({ ...p, progress }));
  }
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}

function pictures(people: readonly Follow[]): Record<string, string> {
  return Object.fromEntries(people.flatMap((f) => (f.jid && f.avatar ? [[f.jid, f.avatar]] : [])));
}
