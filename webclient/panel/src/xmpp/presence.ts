/**
 * Presence: reading other people's, and the walks between hidden and visible.
 *
 * The order of a walk is what keeps it honest (tried on Prosody and ejabberd). Going hidden: unavailable first, so
 * that contacts see us leave; then the privacy list (XEP-0016) that denies presence-out; then presence again, which
 * now nobody but our own server sees, so that messages still arrive live. Going visible: decline the list, then
 * presence. Answering or asking people while hidden: the list would hold that back, so presence goes away, the list is
 * declined, what is to be said is said, and the list and presence come back. The gateway checks the same order.
 */
import type { Availability, Delivery } from "../state.ts";
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
export async function goHidden(w: Walker): Promise<Delivery> {
  w.send(unavailable());
  const list = await w.ask(privacy(h("list", { name: HIDDEN_LIST }, deny("both", "1"), deny("from", "2"))));
  return attr(list, "type") === "result" ? behindList(w) : "archive";
}

/** hidden → visible. `listed`: the privacy list is active on this stream. False when it stayed so. */
export async function goVisible(w: Walker, listed: boolean): Promise<boolean> {
  const declined = !listed || attr(await w.ask(privacy(h("active"))), "type") === "result";
  w.send(available());
  return declined;
}

/**
 * hidden behind the list → hidden again. In between nobody sees presence and no list is active, and `inside` may send
 * what the list would hold back. It is not called, and the result is null, when the list could not be declined.
 */
export async function stepOut(w: Walker, inside: () => Promise<void>): Promise<Delivery | null> {
  w.send(unavailable());
  const declined = await w.ask(privacy(h("active")));
  if (attr(declined, "type") !== "result") {
    w.send(available());
    return null;
  }
  await inside();
  return behindList(w);
}

async function behindList(w: Walker): Promise<Delivery> {
  const active = await w.ask(privacy(h("active", { name: HIDDEN_LIST })));
  if (attr(active, "type") !== "result") return "archive";
  w.send(available());
  return "live";
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
