/** What other windows may say to the panel: the page around it about itself, the login window how it went. Pure. */
import type { HostMessage } from "./app.ts";
import type { LoginResult } from "./session.ts";
import { isRecord } from "./storage.ts";

/** Whom the panel listens to. Windows are compared, never used. */
export interface Known {
  readonly parent: unknown;
  /** Origin of the page around the panel. */
  readonly hostOrigin: string;
  readonly ownOrigin: string;
  /** The login window that is open now. */
  readonly popup: unknown;
}

export type Said =
  | { readonly by: "host"; readonly message: HostMessage }
  | { readonly by: "login"; readonly result: LoginResult };

const str = (v: unknown): string => (typeof v === "string" ? v : "");

/** Null for everything that is not from the right window, at the right origin, of the right shape. */
export function said(e: Pick<MessageEvent<unknown>, "data" | "origin" | "source">, known: Known): Said | null {
  const d = e.data;
  if (!isRecord(d) || !e.source) return null;
  if (d["type"] === "trunkline:host" && e.source === known.parent && e.origin === known.hostOrigin) {
    return { by: "host", message: hostMessage(d) };
  }
  if (d["type"] === "trunkline:login" && e.source === known.popup && e.origin === known.ownOrigin) {
    return { by: "login", result: { ok: d["ok"] === true, error: str(d["error"]), message: str(d["message"]), handoff: str(d["handoff"]) } };
  }
  return null;
}

function hostMessage(d: Record<string, unknown>): HostMessage {
  return {
    theme: d["theme"] === "dark" ? "dark" : "light",
    contrast: d["contrast"] === "high" ? "high" : "default",
    lang: str(d["lang"]) || "en",
    me: str(d["me"]),
    nobody: d["signedIn"] === false,
    page: str(d["page"]),
    open: d["open"] === true,
  };
}
