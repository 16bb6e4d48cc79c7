/** Device passwords as the server tells of them, checked for shape. No time and no network here. */
import { type Json, list, num, rec, str } from "../api.ts";

/** xmpp: a chat app. sip: a phone. */
export type Service = "xmpp" | "sip";

export interface Device {
  readonly id: string;
  /** What the person called it. Hostile plain text, as all text from outside. */
  readonly name: string;
  readonly service: Service;
  /** What the app logs in as: the chat address, or the SIP user name of this device alone. */
  readonly login: string;
  /** Unix milliseconds. */
  readonly createdAt: number;
  /** 0: never. */
  readonly lastUsedAt: number;
  /** A coarse network, `203.0.113.0/24`; '' if unknown. */
  readonly lastUsedFrom: string;
  /** Which of the server's doors it came through; '' if unknown. */
  readonly lastUsedBy: string;
  /** Not used for more than 90 days. */
  readonly stale: boolean;
}

export interface Offer {
  readonly service: Service;
  /** Only with sip. */
  readonly server: string;
}

export interface Listing {
  /** Newest first. */
  readonly devices: readonly Device[];
  readonly limit: number;
  /** What passwords can be made for; never empty. */
  readonly services: readonly Offer[];
}

/** A square of modules, `1` is dark, without the quiet zone. */
export interface Qr {
  readonly text: string;
  readonly rows: readonly string[];
}

/** A password that has just been made. The only value that holds the secret. */
export interface Made {
  readonly device: Device;
  readonly secret: string;
  readonly server: string;
  readonly qr: Qr | null;
}

/** What is typed into an app beside the password. */
export interface Login {
  /** The chat address, or the SIP address. */
  readonly address: string;
  /** The part of the address before the @. */
  readonly user: string;
  /** What to authenticate as: with SIP not always the user. */
  readonly login: string;
  readonly server: string;
}

/** `own`: the person's chat address. The SIP address is the one that the server's QR code holds. */
export function loginOf({ device: { service, login }, server, qr }: Made, own: string): Login {
  const told = /^sips?:([^@]+@[^;?]+)/.exec(qr?.text ?? "")?.[1];
  const address = service === "sip" ? (told ?? `${login}@${server}`) : login || own;
  const at = address.lastIndexOf("@");
  return { address, user: address.slice(0, at), login, server: server || address.slice(at + 1) };
}

export const NAME_LENGTH = 60;

/** What is wrong with a name, '' if nothing. Counted as the server counts: in code points. */
export function wrongName(name: string): "" | "empty" | "long" | "control" {
  const trimmed = name.trim();
  if (!trimmed) return "empty";
  if (Array.from(trimmed).length > NAME_LENGTH) return "long";
  return /\p{Cc}/u.test(trimmed) ? "control" : "";
}

function readService(v: unknown): Service | null {
  return v === "xmpp" || v === "sip" ? v : null;
}

const time = (v: unknown): number => Date.parse(str(v)) || 0;

function readDevice(v: unknown): Device | null {
  const d = rec(v);
  const service = readService(d["service"]);
  if (!str(d["id"]) || !service) return null;
  return {
    id: str(d["id"]), name: str(d["name"]), service, login: str(d["login"]), createdAt: time(d["created_at"]), lastUsedAt: time(d["last_used_at"]),
    lastUsedFrom: str(d["last_used_from"]), lastUsedBy: str(d["last_used_by"]), stale: d["stale"] === true,
  };
}

/** GET /api/v1/devices. null: not the answer of a server that has device passwords. */
export function readListing(json: Json): Listing | null {
  const services = list(json["services"]).flatMap((v): Offer[] => {
    const service = readService(rec(v)["service"]);
    return service ? [{ service, server: str(rec(v)["server"]) }] : [];
  });
  if (!Array.isArray(json["devices"]) || services.length === 0) return null;
  return { devices: list(json["devices"]).flatMap((v) => readDevice(v) ?? []), limit: num(json["limit"]) || Infinity, services };
}

function readQr(v: unknown): Qr | null {
  const q = rec(v);
  const rows = list(q["rows"]).map(str);
  const whole = rows.length >= 21 && rows.length <= 177 && rows.every((row) => row.length === rows.length && /^[01]+$/.test(row));
  return whole ? { text: str(q["text"]), rows } : null;
}

/** POST /api/v1/devices. */
export function readMade(json: Json): Made | null {
  const device = readDevice(json["device"]);
  const secret = str(json["secret"]);
  if (!device || !secret) return null;
  return { device: { ...device, login: str(json["login"]) || device.login }, secret, server: str(json["server"]), qr: readQr(json["qr"]) };
}

/** What happens to whoever uses a password that is removed. A phone's registration cannot be ended, it runs out. */
export function lastly({ service }: Device): string {
  return service === "sip"
    ? "The phone cannot sign in again, but may still ring for up to five minutes."
    : "Whatever uses this password is signed out within seconds.";
}
