// What the launcher needs to know of the Mastodon page it runs in, and nothing else of it.

export interface Look {
  theme: "light" | "dark";
  contrast: "default" | "high";
}

const root = document.documentElement;
const DARK = "(prefers-color-scheme: dark)";
const SHEET = "(max-width: 630px), (max-height: 480px)"; // as in launcher.css
const CONTRAST = "(prefers-contrast: more)";

/** Drops everything from the page's state but the person's account id: no token is ever held here. */
function onlyMe(key: string, value: unknown): unknown {
  return ["", "meta", "me"].includes(key) ? value : undefined;
}

/**
 * The signed-in person's account id; '' when nobody is signed in; null where the launcher has no business at all:
 * inside a frame, or on a page that is not Mastodon's web app.
 */
export function signedInAs(): string | null {
  if (window.top !== window || !document.getElementById("mastodon")) return null;
  try {
    const state = JSON.parse(document.getElementById("initial-state")?.textContent ?? "", onlyMe) as {
      meta?: { me?: unknown };
    };
    const me = state.meta?.me;
    return typeof me === "string" ? me : "";
  } catch {
    return null;
  }
}

/** Whether the page looks dark by its background; the system's choice if it has none. */
function looksDark(): boolean {
  for (const element of [document.body, root]) {
    const [r = 0, g = 0, b = 0, alpha] = (getComputedStyle(element).backgroundColor.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
    if (alpha !== 0) return 2 * r + 7 * g + b < 1280;
  }
  return matchMedia(DARK).matches;
}

/** What the page says of itself: an attribute since 4.6; a class before, and in the best-known fork; else nothing. */
function named(): string | undefined {
  return root.dataset["colorScheme"] ?? / (?:theme|skin)-(\S+)/.exec(` ${document.body.className}`)?.[1];
}

/** How the page looks now. */
export function look(): Look {
  const name = named() ?? "";
  let dark = looksDark;
  if (/^(dark|default|contrast)$/.test(name)) dark = () => true;
  else if (/light$/.test(name)) dark = () => false;
  else if (/^(auto|system)$/.test(name)) dark = () => matchMedia(DARK).matches;
  const high = root.dataset["contrast"] === "high" || name === "contrast" || matchMedia(CONTRAST).matches;
  return { theme: dark() ? "dark" : "light", contrast: high ? "high" : "default" };
}

/** Takes the page out of reach while the open panel covers it whole. */
export function cover(open: boolean): void {
  document.getElementById("mastodon")?.toggleAttribute("inert", open && matchMedia(SHEET).matches);
}

/** Calls changed whenever the page may look different, until signal aborts. */
export function watchLook(changed: () => void, signal: AbortSignal): void {
  const observer = new MutationObserver(changed);
  for (const element of [root, document.body]) observer.observe(element, { attributes: true });
  for (const query of [DARK, CONTRAST, SHEET]) matchMedia(query).addEventListener("change", changed, { signal });
  signal.addEventListener("abort", () => observer.disconnect());
}

// Whether this person has used the chat in this browser: their account id, so that the next person's page does not
// load it for them. '' says to the other tabs that the page has signed out.
const FLAG = "trunkline:used";

/** Reads and, where asked, replaces the flag. Where storage is refused, everybody is new. */
export function used(replace?: (flag: string | null) => string | null): string | null {
  try {
    const flag = localStorage.getItem(FLAG);
    const now = replace ? replace(flag) : flag;
    if (now === null) localStorage.removeItem(FLAG);
    else if (now !== flag) localStorage.setItem(FLAG, now);
    return flag;
  } catch {
    return null;
  }
}

/** Calls gone when another tab finds that the page has signed out. */
export function watchSignOut(gone: () => void, signal: AbortSignal): void {
  addEventListener("storage", (event) => {
    if (event.key === FLAG && event.newValue === "") gone();
  }, { signal });
}
