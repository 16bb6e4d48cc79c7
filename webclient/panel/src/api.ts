/** Trunkline's HTTP API as the panel uses it. Answers are checked for shape; nothing here throws. */
import type { Answer, Env } from "./env.ts";
import type { Account, Consent, Follow, ImportItem, ImportStatus, Instance, Reach } from "./state.ts";
import { consentTextVersion } from "./state.ts";
import { isRecord } from "./storage.ts";
import { bare } from "./xmpp/jid.ts";

/** Why a call gave nothing. signed-out: 401. again: Mastodon wants a new login. busy: wait `retryAfter` seconds. */
export interface Failure {
  readonly ok: false;
  /** The server's stable word for it, '' if none. */
  readonly code: string;
  readonly why: "signed-out" | "again" | "busy" | "down" | "refused";
  readonly message: string;
  readonly retryAfter: number;
}

export type Result<T> = { readonly ok: true; readonly value: T } | Failure;

export interface SessionInfo {
  readonly account: Account;
  readonly instance: Instance;
  readonly consent: Consent;
  readonly websocketUrl: string;
  readonly activeImport: string;
}

export interface Credentials {
  readonly jid: string;
  readonly password: string;
  readonly websocketUrl: string;
}

export interface FollowPage {
  readonly people: readonly Follow[];
  readonly next: string;
}

export interface ImportReport {
  readonly id: string;
  readonly total: number;
  readonly done: number;
  readonly finished: boolean;
  readonly items: readonly ImportItem[];
}

export type Json = Record<string, unknown>;

export const str = (v: unknown): string => (typeof v === "string" ? v : "");
export const num = (v: unknown): number => (typeof v === "number" && Number.isFinite(v) ? v : 0);
export const rec = (v: unknown): Json => (isRecord(v) ? v : {});
export const list = (v: unknown): unknown[] => (Array.isArray(v) ? v : []);

function result<T>(a: Answer, read: (json: Json) => T | null): Result<T> {
  if (a.status >= 200 && a.status < 300) {
    const value = read(rec(a.json));
    if (value !== null) return { ok: true, value };
  }
  const body = rec(a.json);
  const retryAfter = a.retryAfter || num(body["retry_after"]);
  const code = str(body["error"]);
  return { ok: false, code, why: reason(a.status, code), message: str(body["message"]), retryAfter };
}

function reason(status: number, code: string): Failure["why"] {
  if (code === "login_again") return "again";
  if (status === 401) return "signed-out";
  if (status === 429) return "busy";
  return status >= 400 && status < 500 ? "refused" : "down";
}

function readConsent(v: unknown): Consent {
  const c = rec(v);
  return {
    decided: c["decided"] === true,
    presence: c["presence"] === "contacts" ? "contacts" : "nobody",
    typing: c["typing"] === true,
    receipts: c["receipts"] === true,
    changedAt: str(c["changed_at"]) || null,
    discoverable: c["discoverable"] === true,
    pending: c["pending"] === true,
  };
}

function readSession(json: Json): SessionInfo | null {
  const a = rec(json["account"]);
  const i = rec(json["instance"]);
  const jid = bare(str(json["jid"]));
  if (!str(a["id"]) || !jid.includes("@")) return null;
  return {
    account: {
      id: str(a["id"]),
      username: str(a["username"]),
      acct: str(a["acct"]),
      displayName: str(a["display_name"]) || str(a["username"]),
      avatar: webUrl(a["avatar"]),
      url: webUrl(a["url"]),
      jid,
    },
    instance: { name: str(i["name"]), origin: str(i["origin"]), domain: str(i["domain"]) },
    consent: readConsent(json["consent"]),
    websocketUrl: str(json["websocket_url"]),
    activeImport: str(json["active_import"]),
  };
}

function readFollow(v: unknown): Follow[] {
  const f = rec(v);
  const id = str(f["id"]);
  if (!id) return [];
  const jid = str(f["jid"]) || null;
  const reach: Reach = jid === null ? "none" : f["reach"] === "local" ? "local" : f["reach"] === "address" ? "address" : "none";
  const acct = str(f["acct"]);
  return [{ id, acct, displayName: str(f["display_name"]) || acct, avatar: webUrl(f["avatar"]), url: webUrl(f["url"]), jid, reach }];
}

const STATUSES: readonly string[] = ["pending", "added", "already", "skipped", "failed"];

/** One line of an import's progress. */
export function readImportItem(v: unknown): ImportItem | null {
  const r = rec(v);
  const status = str(r["status"]);
  if (!str(r["id"]) || !STATUSES.includes(status)) return null;
  return { id: str(r["id"]), jid: str(r["jid"]), name: str(r["name"]), status: status as ImportStatus, reason: str(r["reason"]) };
}

function webUrl(v: unknown): string {
  const s = str(v);
  return /^https?:\/\//i.test(s) ? s : "";
}

/** Asks the server for something and reads the answer by `read`, which gives null for what makes no sense. */
export type Ask = <T>(method: string, path: string, read: (json: Json) => T | null, body?: unknown) => Promise<Result<T>>;

export class Api {
  readonly #env: Env;

  constructor(env: Env) {
    this.#env = env;
  }

  ask: Ask = async (method, path, read, body) => result(await this.#env.request(method, path, body), read);

  session(): Promise<Result<SessionInfo>> {
    return this.ask("GET", "/api/v1/session", readSession);
  }

  /** A fresh temporary password; each is good for one stream. */
  credentials(): Promise<Result<Credentials>> {
    return this.ask("POST", "/api/v1/credentials", (j) => {
      const c = { jid: bare(str(j["jid"])), password: str(j["password"]), websocketUrl: str(j["websocket_url"]) };
      return c.jid && c.password ? c : null;
    });
  }

  consent(): Promise<Result<Consent>> {
    return this.ask("GET", "/api/v1/consent", readConsent);
  }

  saveConsent(c: Pick<Consent, "presence" | "typing" | "receipts" | "discoverable">): Promise<Result<Consent>> {
    const body = { presence: c.presence, typing: c.typing, receipts: c.receipts, text_version: consentTextVersion(c.discoverable) };
    return this.ask("PUT", "/api/v1/consent", readConsent, body);
  }

  follows(cursor: string): Promise<Result<FollowPage>> {
    const path = `/api/v1/follows${cursor ? `?cursor=${encodeURIComponent(cursor)}` : ""}`;
    return this.ask("GET", path, (j) => ({ people: list(j["people"]).flatMap(readFollow), next: str(j["next"]) }));
  }

  startImport(key: string, people: readonly { id: string; subscribe: boolean }[]): Promise<Result<{ id: string; total: number }>> {
    return this.ask("POST", "/api/v1/imports", (j) => (str(j["id"]) ? { id: str(j["id"]), total: num(j["total"]) } : null), { key, people });
  }

  importReport(id: string): Promise<Result<ImportReport>> {
    return this.ask("GET", `/api/v1/imports/${encodeURIComponent(id)}`, (j) => ({
      id,
      total: num(j["total"]),
      done: num(j["done"]),
      finished: j["finished"] === true,
      items: list(j["items"]).flatMap((v) => readImportItem(v) ?? []),
    }));
  }

  handoff(code: string): Promise<Result<true>> {
    return this.ask("POST", "/auth/handoff", () => true as const, { code });
  }

  logout(): Promise<Result<true>> {
    return this.ask("POST", "/auth/logout", () => true as const);
  }
}
