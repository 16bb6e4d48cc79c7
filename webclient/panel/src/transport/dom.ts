/** Between DOM elements, which strophe speaks, and the plain values that everything else speaks. */
import type { Xml } from "../xmpp/xml.ts";

const XMLNS = "http://www.w3.org/2000/xmlns/";

export function fromDom(el: Element): Xml {
  const attrs = Object.create(null) as Record<string, string>;
  for (const a of el.attributes) if (a.namespaceURI !== XMLNS) attrs[a.name] = a.value;
  const children: (Xml | string)[] = [];
  for (const n of el.childNodes) {
    if (n.nodeType === n.ELEMENT_NODE) children.push(fromDom(n as Element));
    else if (n.nodeType === n.TEXT_NODE || n.nodeType === n.CDATA_SECTION_NODE) children.push(n.nodeValue ?? "");
  }
  return { name: el.localName, ns: el.namespaceURI ?? "", attrs, children };
}

/** Namespaces are written out as attributes too, because strophe serialises attributes and knows no namespaces. */
export function toDom(x: Xml): Element {
  return element(document.implementation.createDocument(null, null), x, "");
}

function element(doc: XMLDocument, x: Xml, inherited: string): Element {
  const ns = x.ns || inherited;
  const el = doc.createElementNS(ns || null, x.name);
  if (ns !== inherited) el.setAttributeNS(XMLNS, "xmlns", ns);
  for (const [name, value] of Object.entries(x.attrs)) el.setAttribute(name, value);
  for (const c of x.children) el.appendChild(typeof c === "string" ? doc.createTextNode(c) : element(doc, c, ns));
  return el;
}
