/** The contact list: RFC 6121 §2. Pure: stanzas in, values out. */
import type { Subscription } from "../state.ts";
import { bare } from "./jid.ts";
import { NS } from "./ns.ts";
import { attr, child, children, h, text, type Xml } from "./xml.ts";

export interface RosterItem {
  readonly jid: string;
  readonly name: string;
  readonly subscription: Subscription | "remove";
  readonly asked: boolean;
  readonly groups: readonly string[];
}

export function rosterGet(): Xml {
  return h("iq", { xmlns: NS.CLIENT, type: "get" }, h("query", { xmlns: NS.ROSTER }));
}

/** Takes somebody off the list, with whatever either of the two may see (RFC 6121 §2.5). */
export function rosterRemove(jid: string): Xml {
  return h("iq", { xmlns: NS.CLIENT, type: "set" }, h("query", { xmlns: NS.ROSTER }, h("item", { jid, subscription: "remove" })));
}

/** Items of a roster result or push, null when the stanza carries no roster. */
export function rosterItems(iq: Xml): RosterItem[] | null {
  const query = child(iq, "query", NS.ROSTER);
  if (!query) return null;
  return children(query, "item", NS.ROSTER).flatMap((item) => {
    const jid = bare(attr(item, "jid"));
    if (!jid) return [];
    return [{
      jid,
      name: attr(item, "name"),
      subscription: subscription(attr(item, "subscription")),
      asked: attr(item, "ask") === "subscribe",
      groups: children(item, "group", NS.ROSTER).map(text),
    }];
  });
}

/** A push is believed only from our own account (RFC 6121 §2.1.6); null when this is not one. */
export function rosterPush(iq: Xml, own: string): RosterItem[] | null {
  const from = attr(iq, "from").toLowerCase();
  if (attr(iq, "type") !== "set" || (from !== "" && from !== own)) return null;
  return rosterItems(iq);
}

function subscription(s: string): RosterItem["subscription"] {
  return s === "to" || s === "from" || s === "both" || s === "remove" ? s : "none";
}
