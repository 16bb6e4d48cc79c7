/**
 * Stanzas as plain values, so that nothing above the transport touches a DOM.
 *
 * h() builds outgoing stanzas: text and attribute values are data, never markup, and characters that XML 1.0
 * cannot carry are removed, because the gateway would end the stream for them.
 */

import { NS } from "./ns.ts";

export interface Xml {
  readonly name: string;
  readonly ns: string;
  /** Without xmlns declarations; no prototype, so hostile names are harmless. */
  readonly attrs: Readonly<Record<string, string>>;
  readonly children: readonly (Xml | string)[];
}

type Attrs = Readonly<Record<string, string | undefined>>;
type Child = Xml | string | null | undefined | false;

// XML 1.0 §2.2 Char, negated; lone surrogates included.
const ILLEGAL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** Removes what XML cannot carry. */
export function clean(text: string): string {
  return text.replace(ILLEGAL, "");
}

/** Builds an element. `xmlns` among the attributes sets its namespace; children without one inherit it. */
export function h(name: string, attrs: Attrs = {}, ...children: Child[]): Xml {
  const own: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [key, value] of Object.entries(attrs)) {
    if (value !== undefined && key !== "xmlns") own[key] = clean(value);
  }
  const ns = attrs["xmlns"] ?? "";
  const kids: (Xml | string)[] = [];
  for (const c of children) {
    if (typeof c === "string") kids.push(clean(c));
    else if (c) kids.push(adopt(c, ns));
  }
  return { name, ns, attrs: own, children: kids };
}

function adopt(child: Xml, ns: string): Xml {
  if (child.ns || !ns) return child;
  return { ...child, ns, children: child.children.map((c) => (typeof c === "string" ? c : adopt(c, ns))) };
}

/** All child elements, optionally only those with this name and namespace. */
export function children(x: Xml, name?: string, ns?: string): Xml[] {
  return x.children.filter(
    (c): c is Xml => typeof c !== "string" && (!name || c.name === name) && (!ns || c.ns === ns),
  );
}

/** First child element with this name and namespace. */
export function child(x: Xml | null | undefined, name: string, ns?: string): Xml | null {
  return (x && children(x, name, ns)[0]) ?? null;
}

/** Text directly inside the element, "" for null. */
export function text(x: Xml | null | undefined): string {
  return x ? x.children.filter((c) => typeof c === "string").join("") : "";
}

export function attr(x: Xml | null | undefined, name: string): string {
  return x?.attrs[name] ?? "";
}

/** Condition of a stanza error (RFC 6120 §8.3) and the server's words for it, "" if none. */
export function stanzaError(x: Xml): { condition: string; text: string } {
  const error = child(x, "error");
  const said = error ? children(error, undefined, NS.STANZAS) : [];
  return {
    condition: said.find((c) => c.name !== "text")?.name ?? "undefined-condition",
    text: text(said.find((c) => c.name === "text")),
  };
}

