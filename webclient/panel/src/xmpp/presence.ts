/**
 * Presence: reading other people's, and the walks between hidden and visible.
 *
 * The order of a walk is what keeps it honest (tried on Prosody and ejabberd). Going hidden: unavailable first, so
 * that contacts see us leave; then the privacy list (XEP-0016) that denies presence-out; then presence again, which
 * now nobody but our own server sees, so that messages still arrive live. Going visible: decline the list, then
 * presence. The gateway checks the same order.
 */
import type { Availability } from "../state.ts";
import { NS } from "./ns.ts";
import { attr, child, h, text, type Xml } from "./xml.ts";

/** Name of the list; the gateway replaces its content by its own text. */
export const HIDDEN_LIST = "trunkline-hidden";

export interface Walker {
  send(x: Xml): void;
  /** Resolves with the answer of type result or error; rejects when the stream is gone. */
  ask(iq: Xml): Promise<Xml>;
}

export function available(): Xml {
  return h("presence", { xmlns: NS.CLIENT });
}

export function unavailable(): Xml {
  return h("presence", { xmlns: NS.CLIENT, type: "unavailable" });
}

/** subscribe, subscribed, unsubscribe, unsubscribed: RFC 6121 §3. */
export function subscriptionStanza(to: string, type: "subscribe" | "subscribed" | "unsubscribe" | "unsubscribed"): Xml {
  return h("presence", { xmlns: NS.CLIENT, to, type });
}

function privacy(...content: Xml[]): Xml {
  return h("iq", { xmlns: NS.CLIENT, type: "set" }, h("query", { xmlns: NS.PRIVACY }, ...content));
}

function deny(subscription: string, order: string): Xml {
  return h("item", { type: "subscription", value: subscription, action: "deny", order }, h("presence-out"));
}

/**
 * visible → hidden. Resolves to how messages arrive from now on: "archive" when the server has no privacy lists, in
 * which case presence stays away.
 */
export async function goHidden(w: Walker): Promise<"live" | "archive"> {
  w.send(unavailable());
  const list = await w.ask(privacy(h("list", { name: HIDDEN_LIST }, deny("both", "1"), deny("from", "2"))));
  if (attr(list, "type") !== "result") return "archive";
  const active = await w.ask(privacy(h("active", { name: HIDDEN_LIST })));
  if (attr(active, "type") !== "result") return "archive";
  w.send(available());
  return "live";
}

/** hidden → visible. `listed`: the privacy list is active on this stream. */
export async function goVisible(w: Walker, listed: boolean): Promise<void> {
  if (listed) await w.ask(privacy(h("active")));
  w.send(available());
}

/** What one presence stanza says about its sender's resource; null for errors and subscription traffic. */
export function readAvailability(x: Xml): Availability | null {
  const type = attr(x, "type");
  if (type === "unavailable") return "offline";
  if (type !== "") return null;
  const show = text(child(x, "show", NS.CLIENT));
  if (show === "dnd") return "dnd";
  return show === "away" || show === "xa" ? "away" : "online";
}
