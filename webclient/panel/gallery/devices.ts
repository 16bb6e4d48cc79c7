// What the server answers to the page "Apps & devices", by the name of the state that it leads to.
import type { Answer } from "../src/env.ts";
import { LONG, NOW } from "./fixtures.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const json = (body: unknown, status = 200, retryAfter = 0): Answer => ({ status, json: body, retryAfter });
const refused = (status: number, error: string, retryAfter = 0): Answer => json({ error, message: "" }, status, retryAfter);
const at = (ago: number): string => new Date(NOW - ago).toISOString();

interface Device {
  id: string;
  name: string;
  service: string;
  login: string;
  created_at: string;
  last_used_at: string | null;
  last_used_from: string;
  last_used_by: string;
  stale: boolean;
}

function device(id: string, name: string, more: Partial<Device> = {}): Device {
  return {
    id, name, service: "xmpp", login: "juliet@verona.example", created_at: at(20 * DAY), last_used_at: at(3 * DAY), last_used_from: "203.0.113.0/24",
    last_used_by: "prosody", stale: false, ...more,
  };
}

const some = [
  device("d4", "Conversations on my phone", { created_at: at(2 * HOUR), last_used_at: null, last_used_from: "", last_used_by: "" }),
  device("d3", "Linphone on the balcony", { service: "sip", login: "juliet-k3x7q", last_used_at: null, last_used_by: "", last_used_from: "" }),
  device("d2", "Gajim at the Capulets'", { last_used_at: at(DAY) }),
  device("d1", "Old tablet of the Nurse", { created_at: at(400 * DAY), last_used_at: at(140 * DAY), last_used_from: "", stale: true }),
];

const odd = [
  LONG, "W".repeat(60), "روميو مونتاغيو", "Tybalt \u202egnp.elbissoP\u202c", "<img src=x onerror=alert(1)>", "🧑‍🎤👩‍👩‍👧‍👦🏳️‍🌈 Peter 🎻", "  ",
].map((name, i) => device(`o${i}`, name, { stale: i === 0, service: i === 1 ? "sip" : "xmpp", login: i === 1 ? `${"w".repeat(58)}-k3x7q` : "juliet@verona.example" }));

const xmpp = [{ service: "xmpp" }];
const both = [...xmpp, { service: "sip", server: "verona.example" }];
const listing = (devices: readonly Device[], services: readonly unknown[] = xmpp): Answer => json({ devices, limit: 50, services });

const rows = [
  "1111111000110011001111111", "1000001010101101001000001", "1011101001111001001011101", "1011101001011000001011101", "1011101011101111001011101",
  "1000001000110011101000001", "1111111010101010101111111", "0000000001001100100000000", "1010101001001101100010010", "0111010001001100111001001",
  "0011101110010000111110111", "0101110011101110000110000", "1110111001111100011001010", "0011100110110010101001011", "1001101010100010011010111",
  "0110000000011101110011010", "1010001110001100111111000", "0000000010101101100011101", "1111111000101011101010011", "1000001000011110100010011",
  "1011101010011100111110000", "1011101000101001100111100", "1011101011101001101110001", "1000001001110110110000010", "1111111011100101101111011",
];

/** A secret as the server makes them; no two are the same. */
function secret(): string {
  const letters = Array.from(crypto.getRandomValues(new Uint8Array(24)), (byte) => "abcdefghijklmnopqrstuvwxyz234567"[byte % 32]).join("");
  return `tld-${(letters.match(/.{4}/g) ?? []).join("-")}`;
}

function made(body: unknown): Answer {
  const { name, service } = body as { name: string; service: string };
  const login = service === "sip" ? "juliet-k3x7q" : "juliet@verona.example";
  return json({
    device: device("new", name, { service, login, created_at: at(0), last_used_at: null, last_used_from: "", last_used_by: "" }),
    secret: secret(), login, server: "verona.example", qr: { text: service === "sip" ? "sip:juliet@verona.example" : "xmpp:juliet@verona.example", size: 25, rows },
  }, 201);
}

/** Answers to GET, POST and DELETE; what never answers is null. */
interface Answers {
  list: Answer | null;
  make?: (body: unknown) => Answer | null;
  remove?: Answer | null;
  offline?: true;
}

const gone = json(null, 204);
const down: Answer = { status: 0, json: null, retryAfter: 0 };

export const answers: Record<string, Answers> = {
  "devices": { list: listing(some, both) },
  "devices-loading": { list: null },
  "devices-empty": { list: listing([]) },
  "devices-50": { list: listing(Array.from({ length: 50 }, (_, i) => device(`n${i}`, `App number ${50 - i}`, { stale: i > 40 }))) },
  "devices-odd": { list: listing(odd, both) },
  "devices-failed": { list: down },
  "devices-unavailable": { list: refused(404, "not_available") },
  "devices-offline": { list: down, offline: true },
  "devices-offline-list": { list: listing(some), offline: true },
  "devices-chat-only": { list: listing(some.filter(({ service }) => service === "xmpp")) },
  "devices-limited": { list: listing(some, both), make: () => refused(429, "rate_limited", 75) },
  "devices-too-many": { list: listing(some), make: () => refused(409, "too_many_devices") },
  "devices-bad-name": { list: listing(some), make: () => refused(400, "bad_name") },
  "devices-lost": { list: listing(some), make: () => down, remove: down },
  "devices-busy": { list: listing(some), make: () => null, remove: null },
};

/** What a request is answered with. */
export function answer(state: string, method: string, body: unknown): Promise<Answer> {
  const { list, make = made, remove = gone } = answers[state] ?? { list: down };
  const a = method === "GET" ? list : method === "POST" ? make(body) : remove;
  return a ? Promise.resolve(a) : new Promise(() => undefined);
}
