// The launcher's own few elements, in a shadow root so that neither page's style touches the other's.
import pageStyle from "./page.css";
import style from "./launcher.css";

export interface Parts {
  readonly host: HTMLElement;
  readonly button: HTMLElement;
  readonly badge: HTMLElement;
  readonly status: HTMLElement;
  /** Where the panel's frame belongs. */
  readonly root: ShadowRoot;
}

const SVG = "http://www.w3.org/2000/svg";

function put(parent: Node, name: string, attributes: Record<string, string> = {}, namespace = "http://www.w3.org/1999/xhtml"): HTMLElement {
  const made = document.createElementNS(namespace, name) as HTMLElement;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return parent.appendChild(made);
}

/** A style sheet that the page's style-src has no say in, as it would have in a style element. */
function sheet(text: string): CSSStyleSheet {
  const made = new CSSStyleSheet();
  made.replaceSync(text);
  return made;
}

/** Builds the button and shows it in the bottom corner at the end of the page's lines, or at their start. */
export function show(atStart: boolean): Parts {
  const host = put(document.body, "trunkline-chat", atStart ? { "data-side": "start" } : {});
  const root = host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [sheet(style)];
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet(pageStyle)];
  const button = put(root, "button", { title: "Chat" });
  const picture = put(button, "svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, SVG);
  put(picture, "path", { d: "M21 11.5a8.5 8.5 0 0 1-12.4 7.6L3 21l1.9-5.6A8.5 8.5 0 1 1 21 11.5z" }, SVG);
  const badge = put(button, "b", { "aria-hidden": "true" });
  const status = put(root, "i", { role: "status" });
  // The page's single-letter shortcuts must not hear what is typed here.
  for (const type of ["keydown", "keypress", "keyup"]) host.addEventListener(type, (event) => event.stopPropagation());
  return { host, button, badge, status, root };
}

/** Puts the panel's frame beside the button. */
export function frame(root: ShadowRoot, src: string): HTMLIFrameElement {
  return put(root, "iframe", { title: "Chat", allow: "clipboard-write", src }) as HTMLIFrameElement;
}
