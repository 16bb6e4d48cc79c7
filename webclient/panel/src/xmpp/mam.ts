/** The archive: XEP-0313 with result sets (XEP-0059). Pure: builds queries and reads how they ended. */
import { NS } from "./ns.ts";
import { attr, child, h, text, type Xml } from "./xml.ts";

export interface ArchiveQuery {
  /** Only messages with this bare JID, "" = all. */
  readonly with?: string;
  /** Page forward from after this archive id. */
  readonly after?: string;
  /** Page backward from before this archive id; "" = from the end. */
  readonly before?: string;
  readonly max: number;
}

export interface ArchivePage {
  /** Archive ids of the first and last result, "" for an empty page. */
  readonly first: string;
  readonly last: string;
  /** No further results in the paging direction. */
  readonly complete: boolean;
}

/** The query stanza; `id` becomes the queryid that its results carry. */
export function archiveQuery(q: ArchiveQuery, id: string): Xml {
  const fields = [field("FORM_TYPE", NS.MAM, "hidden"), ...(q.with ? [field("with", q.with)] : [])];
  const set = [
    h("max", {}, String(q.max)),
    q.after !== undefined && h("after", {}, q.after),
    q.before !== undefined && h("before", {}, q.before),
  ];
  return h(
    "iq",
    { xmlns: NS.CLIENT, type: "set" },
    h(
      "query",
      { xmlns: NS.MAM, queryid: id },
      h("x", { xmlns: NS.DATA, type: "submit" }, ...fields),
      h("set", { xmlns: NS.RSM }, ...set),
    ),
  );
}

function field(name: string, value: string, type?: string): Xml {
  return h("field", { var: name, type }, h("value", {}, value));
}

/** Reads the answer to a query; null when it is an error or carries no <fin/>. */
export function archivePage(iq: Xml): ArchivePage | null {
  const fin = attr(iq, "type") === "result" ? child(iq, "fin", NS.MAM) : null;
  if (!fin) return null;
  const set = child(fin, "set", NS.RSM);
  const first = text(child(set, "first", NS.RSM));
  return { first, last: text(child(set, "last", NS.RSM)), complete: attr(fin, "complete") === "true" || first === "" };
}
