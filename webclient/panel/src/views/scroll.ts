// Where a conversation stands while messages come in above and below.
//
// At the bottom it stays at the bottom. Anywhere else the message that was at the top of the view stays where it was,
// whatever was added above it. The browser's own scroll anchoring is switched off in the style sheet: not every
// browser has it, and two would fight.

const NEAR = 48;

export class ScrollKeeper {
  readonly #box: HTMLElement;
  #stuck = true;
  #anchor: { key: string; top: number } | null = null;

  constructor(box: HTMLElement) {
    this.#box = box;
  }

  /** Whether the newest message is in view. */
  get stuck(): boolean {
    return this.#stuck;
  }

  /** Takes note of where things stand; on every scroll, and before anything changes. */
  note(): void {
    const box = this.#box;
    this.#stuck = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR;
    this.#anchor = null;
    if (this.#stuck) return;
    for (const child of this.#keyed()) {
      const top = child.offsetTop - box.scrollTop;
      if (top + child.offsetHeight <= 0) continue;
      this.#anchor = { key: child.dataset["key"] ?? "", top };
      return;
    }
  }

  /** Puts things back where they stood; after every change. */
  settle(): void {
    const box = this.#box;
    if (this.#stuck) {
      box.scrollTop = box.scrollHeight;
      return;
    }
    const anchor = this.#anchor;
    if (!anchor) return;
    for (const child of this.#keyed()) {
      if (child.dataset["key"] !== anchor.key) continue;
      const off = child.offsetTop - box.scrollTop - anchor.top;
      if (Math.abs(off) > 0.5) box.scrollTop += off;
      return;
    }
  }

  toEnd(smooth = false): void {
    this.#stuck = true;
    const still = !smooth || matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.#box.scrollTo({ top: this.#box.scrollHeight, behavior: still ? "instant" : "smooth" });
  }

  /** Brings an element near the top of the view, if not everything fits. */
  toElement(element: HTMLElement): void {
    this.#box.scrollTop = element.offsetTop - this.#box.clientHeight / 4;
    this.note();
  }

  get nearTop(): boolean {
    return this.#box.scrollTop < 240;
  }

  #keyed(): NodeListOf<HTMLElement> {
    return this.#box.querySelectorAll<HTMLElement>("[data-key]");
  }
}
