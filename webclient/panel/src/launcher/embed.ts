// The launcher: one button on Mastodon's pages that opens the chat panel in a frame from the chat origin.
//
// It shows nothing unless the page is Mastodon's web app, on its own in the window, with somebody signed in. It reads
// that person's account id and no token, loads the panel only when asked or where this person used it before, and
// talks to it by messages at the exact chat origin. Signing out of Mastodon signs out of the chat. The script tag may
// carry data-position="bottom-start".
import { frame, show, type Parts } from "./button.ts";
import { cover, look, signedInAs, used, watchLook, watchSignOut } from "./page.ts";

const CHAT = "__TRUNKLINE_CHAT_ORIGIN__"; // written in when the file is served
const script = document.currentScript; // null once the script has run

/** What comes from the panel, unchecked. */
type Said = { type?: unknown; count?: unknown; used?: unknown } | null;

/** What a login that came back by redirect left in the address: '#trunkline' or '#trunkline-error=CODE'. */
function returned(): string | null {
  const match = /^#trunkline(?:-error=([\w-]*))?$/.exec(location.hash);
  if (!match) return null;
  history.replaceState(history.state, "", location.pathname + location.search);
  return match[1] ?? "";
}

class Launcher {
  readonly #me: string;
  readonly #parts: Parts;
  readonly #end = new AbortController();
  #open = false;
  #ready = false;
  readonly #start: string;
  #unread = 0;
  #frame: HTMLIFrameElement | undefined;

  constructor(me: string, parts: Parts, back: string | null) {
    const { signal } = this.#end;
    this.#me = me;
    this.#parts = parts;
    this.#start = back ? `/panel#error=${back}` : "/panel";
    addEventListener("message", (event: MessageEvent<Said>) => this.#hear(event), { signal });
    watchLook(() => this.#follow(), signal);
    watchSignOut(() => this.#remove(), signal);
    parts.button.addEventListener("click", () => this.#toggle(!this.#open));
    parts.host.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#open) this.#toggle(false);
    });
    this.#follow();
    if (back !== null) this.#toggle(true);
    else if (used() === me) this.#load();
  }

  #load(): void {
    this.#frame ??= frame(this.#parts.root, CHAT + this.#start);
  }

  #toggle(open: boolean): void {
    this.#open = open;
    if (open) this.#load();
    this.#render();
    this.#tell();
    (open ? this.#frame : this.#parts.button)?.focus();
  }

  /** Shows how things stand; called after every change. */
  #render(): void {
    const { host, button, badge } = this.#parts;
    const open = this.#open;
    const unread = this.#unread;
    host.toggleAttribute("data-open", open);
    button.setAttribute("aria-expanded", String(open));
    button.setAttribute("aria-label", (open ? "Close chat" : "Open chat") + (unread ? `, ${unread} unread` : ""));
    cover(open);
    badge.textContent = unread > 99 ? "99+" : unread ? String(unread) : "";
  }

  /** Follows the page in its looks and in its end. */
  #follow(): void {
    Object.assign(this.#parts.host.dataset, look());
    this.#render();
    if (signedInAs() === this.#me) this.#tell();
    else this.#remove();
  }

  /** Tells the panel about the page it is in. */
  #tell(): void {
    if (!this.#ready) return; // nobody listens yet
    this.#frame?.contentWindow?.postMessage(
      {
        type: "trunkline:host",
        ...look(),
        lang: document.documentElement.lang,
        me: this.#me,
        signedIn: !!this.#me,
        page: location.href,
        open: this.#open,
      },
      CHAT,
    );
  }

  #hear({ data, origin, source }: MessageEvent<Said>): void {
    if (!this.#frame || origin !== CHAT || source !== this.#frame.contentWindow) return;
    switch (data?.type) {
      case "trunkline:ready":
        this.#ready = true;
        this.#tell();
        break;
      case "trunkline:unread":
        this.#count(Math.max(0, Math.floor(Number(data.count)) || 0));
        break;
      case "trunkline:close":
        if (this.#open) this.#toggle(false);
        break;
      case "trunkline:used":
        used(() => (data.used === true ? this.#me : null));
        if (!this.#me) this.#remove(); // signed out, which is all that the frame was for
    }
  }

  #count(unread: number): void {
    if (unread > this.#unread && !this.#open) this.#parts.status.textContent = `Unread chat messages: ${unread}`;
    this.#unread = unread;
    this.#render();
  }

  #remove(): void {
    this.#end.abort();
    cover(false);
    this.#parts.host.remove();
  }
}

/** Where nobody is signed in any more and the chat was used, it is loaded once, unseen, to sign out as well. */
function start(): void {
  const me = signedInAs();
  if (me === null || document.querySelector("trunkline-chat")) return;
  if (!me && used((flag) => flag && "") === null) return;
  const parts = show(script?.dataset["position"] === "bottom-start");
  if (!me) parts.host.style.display = "none";
  new Launcher(me, parts, me ? returned() : null);
}

if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
else start();
