/**
 * Messages: what an incoming stanza means, and the stanzas that we send.
 *
 * Everything that arrives is hostile. A carbon counts only when our own account sent it (XEP-0280 §11), an archive
 * result only likewise (XEP-0313 §7), a stanza-id only when our own server is its author (XEP-0359 §6), a delay only
 * when our own server wrote it. What is wrapped is never unwrapped twice.
 */
import { bare, domain } from "./jid.ts";
import { NS } from "./ns.ts";
import { attr, child, h, stanzaError, text, type Xml } from "./xml.ts";

export type Via = "live" | "carbon" | "archive";

/** One one-to-one message, from whichever way it came. */
export interface ChatEvent {
  readonly via: Via;
  /** Archive query that it answers, "" unless via archive. */
  readonly queryId: string;
  /** Bare address of the other side. */
  readonly peer: string;
  /** Sender with resource. */
  readonly from: string;
  readonly mine: boolean;
  /** The id attribute, which receipts and markers speak of, else the origin-id, else "". */
  readonly id: string;
  /** Id in our own archive, "" if unknown. */
  readonly stanzaId: string;
  /** Server's time in unix milliseconds, 0 when it was not delayed. */
  readonly at: number;
  readonly body: string;
  readonly wantsReceipt: boolean;
  readonly markable: boolean;
  /** Ids that a receipt (XEP-0184) or displayed marker (XEP-0333) speaks of, "" if none. */
  readonly received: string;
  readonly displayed: string;
  /** Chat state (XEP-0085) element name, "" if none. */
  readonly chatState: string;
  /** For type error: why, in plain words; "" otherwise. */
  readonly error: string;
}

/** Reads a message stanza; null when it is none of our business or not to be trusted. `own` is our bare JID. */
export function readMessage(x: Xml, own: string): ChatEvent | null {
  if (x.name !== "message") return null;
  const from = attr(x, "from").toLowerCase();
  const fromAccount = from === "" || from === own;
  const result = child(x, "result", NS.MAM);
  if (result) return fromAccount ? readArchived(result, own) : null;
  const received = child(x, "received", NS.CARBONS);
  const sent = child(x, "sent", NS.CARBONS);
  if (received || sent) {
    const inner = fromAccount ? forwarded(received ?? sent) : null;
    if (!inner) return null;
    const event = readChat(inner.message, own, { via: "carbon", queryId: "", stanzaId: "", at: inner.at });
    return event && event.mine === Boolean(sent) ? event : null;
  }
  return readChat(x, own, { via: "live", queryId: "", stanzaId: "", at: serverDelay(x, own) });
}

function readArchived(result: Xml, own: string): ChatEvent | null {
  const inner = forwarded(result);
  if (!inner) return null;
  const how = { via: "archive" as const, queryId: attr(result, "queryid"), stanzaId: attr(result, "id"), at: inner.at };
  return readChat(inner.message, own, how);
}

function forwarded(wrapper: Xml | null): { message: Xml; at: number } | null {
  const f = child(wrapper, "forwarded", NS.FORWARD);
  const message = child(f, "message", NS.CLIENT);
  return message && { message, at: stamp(child(f, "delay", NS.DELAY)) };
}

function serverDelay(x: Xml, own: string): number {
  const delay = child(x, "delay", NS.DELAY);
  const by = attr(delay, "from").toLowerCase();
  return by === own || by === domain(own) ? stamp(delay) : 0;
}

function stamp(delay: Xml | null): number {
  const at = Date.parse(attr(delay, "stamp"));
  return Number.isFinite(at) ? at : 0;
}

type How = Pick<ChatEvent, "via" | "queryId" | "stanzaId" | "at">;

function readChat(x: Xml, own: string, how: How): ChatEvent | null {
  const type = attr(x, "type");
  if (type === "groupchat" || type === "headline") return null;
  const from = attr(x, "from") || own;
  const mine = bare(from) === own;
  const to = bare(attr(x, "to")) || own;
  // Wrapped messages must be to or from us; a live one is, because the server delivered it to us.
  if (how.via !== "live" && !mine && to !== own) return null;
  const peer = mine ? to : bare(from);
  if (!peer.includes("@")) return null; // a server or service, not a person
  const ours = x.children.find(
    (c): c is Xml => typeof c !== "string" && c.name === "stanza-id" && c.ns === NS.SID && attr(c, "by").toLowerCase() === own,
  );
  const failed = type === "error";
  return {
    ...how,
    peer,
    from,
    mine,
    id: attr(x, "id") || attr(child(x, "origin-id", NS.SID), "id"),
    stanzaId: how.stanzaId || attr(ours, "id"),
    body: failed ? "" : text(child(x, "body", NS.CLIENT)),
    wantsReceipt: child(x, "request", NS.RECEIPTS) !== null,
    markable: child(x, "markable", NS.MARKERS) !== null,
    received: failed ? "" : attr(child(x, "received", NS.RECEIPTS), "id"),
    displayed: failed ? "" : attr(child(x, "displayed", NS.MARKERS), "id"),
    chatState: failed ? "" : (child(x, "", NS.CHAT_STATES)?.name ?? ""),
    error: failed ? refusal(x, own) : "",
  };
}

const NOBODY = "There is nobody at this address, or they cannot be reached now.";

const WORDS: Readonly<Record<string, string>> = {
  // What servers say of people that they do not have (RFC 6121 §8.5.1), and of those who block one (XEP-0191 §3.8).
  "service-unavailable": NOBODY,
  "item-not-found": NOBODY,
  "recipient-unavailable": "They cannot be reached right now.",
  "policy-violation": "The server refused this message.",
  "resource-constraint": "Their mailbox is full.",
};

/** Plain words for a refused stanza. The gateway's refusals bring their own. `own` is our bare JID. */
export function refusal(x: Xml, own: string): string {
  const error = child(x, "error");
  const said = stanzaError(x);
  if (said.text && child(error, "refused", NS.GATEWAY)) return said.text;
  if (child(error, "blocked", NS.BLOCKED)) return "You have blocked them.";
  const there = domain(attr(x, "from"));
  const unreached = `\u2068${there}\u2069 cannot be reached from your server`;
  switch (said.condition) {
    case "remote-server-not-found":
    case "remote-server-timeout":
      return `${unreached}.`;
    case "forbidden":
    case "not-allowed":
    case "not-acceptable":
      // Our own server answers so too, in their name, when it may not speak with theirs.
      return there === domain(own) ? "They do not accept messages from you." : `${unreached}, or they do not accept messages from you.`;
    default:
      return WORDS[said.condition] ?? (said.text || "The message could not be delivered.");
  }
}

/** A text message (RFC 6121 §5) with origin-id, asking for a receipt and markable. `typing`: close the typing state. */
export function textMessage(to: string, id: string, body: string, typing: boolean): Xml {
  return h(
    "message",
    { xmlns: NS.CLIENT, to, id, type: "chat" },
    h("body", {}, body),
    h("origin-id", { xmlns: NS.SID, id }),
    h("request", { xmlns: NS.RECEIPTS }),
    h("markable", { xmlns: NS.MARKERS }),
    typing && h("active", { xmlns: NS.CHAT_STATES }),
  );
}

/** Receipt for message `of`; only with the receipts consent. */
export function receipt(to: string, id: string, of: string): Xml {
  return h("message", { xmlns: NS.CLIENT, to, id, type: "chat" }, h("received", { xmlns: NS.RECEIPTS, id: of }), store());
}

/** Displayed marker for message `of`; only with the receipts consent. */
export function displayed(to: string, id: string, of: string): Xml {
  return h("message", { xmlns: NS.CLIENT, to, id, type: "chat" }, h("displayed", { xmlns: NS.MARKERS, id: of }), store());
}

/** Typing state; only with the typing consent. Never stored. */
export function chatState(to: string, state: "composing" | "paused" | "active"): Xml {
  return h(
    "message",
    { xmlns: NS.CLIENT, to, type: "chat" },
    h(state, { xmlns: NS.CHAT_STATES }),
    h("no-store", { xmlns: NS.HINTS }),
  );
}

function store(): Xml {
  return h("store", { xmlns: NS.HINTS });
}
