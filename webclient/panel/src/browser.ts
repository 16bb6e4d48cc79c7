/** The Env of a real browser, and what the window tells the app. The only file of the core that reaches for globals. */
import { type App, createApp } from "./app.ts";
import type { Answer, Env, EventStreamHandlers, KeyValue, WindowEvent } from "./env.ts";
import { said } from "./messages.ts";
import { StropheTransport } from "./transport/strophe.ts";

const REQUEST_MS = 20_000;
const POPUP = "popup,width=520,height=720";

/** Builds the app for the panel page, wires it to window and launcher, and starts it. */
export function startApp(win: Window = window): App {
  const { instanceOrigin = "", instanceName = "" } = win.document.body.dataset;
  const env = browserEnv(win, instanceOrigin);
  const app = createApp(env, { origin: instanceOrigin, name: instanceName, domain: "" }, (store) => new StropheTransport(env, store));
  let open = win.parent === win;
  const look = (): void => app.actions.attention(open && win.document.visibilityState === "visible");
  win.document.addEventListener("visibilitychange", look);
  win.addEventListener("message", (e: MessageEvent<unknown>) => {
    const heard = said(e, { parent: win.parent, hostOrigin: instanceOrigin, ownOrigin: win.location.origin, popup: env.loginWindow() });
    if (heard?.by === "host") {
      open = heard.message.open;
      app.actions.host(heard.message);
      look();
    } else if (heard) {
      app.actions.loginResult(heard.result);
    }
  });
  const failed = /[#&]error=([a-z_]+)/.exec(win.location.hash)?.[1];
  app.actions.start();
  if (failed) app.actions.loginResult({ ok: false, error: failed, message: "", handoff: "" });
  look();
  env.toHost({ type: "trunkline:ready" });
  return app;
}

interface BrowserEnv extends Env {
  /** The login window that was opened last. */
  loginWindow(): Window | null;
}

/** `hostOrigin`: the only origin that is posted to. */
export function browserEnv(win: Window, hostOrigin: string): BrowserEnv {
  let login: Window | null = null;
  return {
    now: () => Date.now(),
    random: () => Math.random(),
    id: () => randomId(win.crypto),
    after(ms, fn) {
      const t = win.setTimeout(fn, ms);
      return () => win.clearTimeout(t);
    },
    request: (method, path, body) => request(win, method, path, body),
    events: (path, on) => events(path, on),
    local: storage(() => win.localStorage),
    tab: storage(() => win.sessionStorage),
    lock: (name, how, lost) => lock(win.navigator.locks, name, how, lost),
    online: () => win.navigator.onLine,
    listen: (event, fn) => listen(win, event, fn),
    popup(url) {
      const w = win.open(url, "trunkline-login", POPUP);
      login = w;
      return w && { closed: () => w.closed, close: () => w.close() };
    },
    loginWindow: () => login,
    framed: win.parent !== win && hostOrigin !== "",
    toHost(message) {
      if (win.parent !== win && hostOrigin) win.parent.postMessage(message, hostOrigin);
    },
  };
}

/** randomUUID exists in secure contexts only; the bytes do everywhere. */
function randomId(crypto: Crypto): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

async function request(win: Window, method: string, path: string, body: unknown): Promise<Answer> {
  const init: RequestInit = { method, credentials: "same-origin", cache: "no-store", redirect: "error", headers: { Accept: "application/json" } };
  if (body !== undefined) {
    init.headers = { Accept: "application/json", "Content-Type": "application/json" };
    init.body = JSON.stringify(body);
  }
  const abort = new AbortController();
  const timer = win.setTimeout(() => abort.abort(), REQUEST_MS);
  try {
    const r = await win.fetch(path, { ...init, signal: abort.signal });
    const json: unknown = await r.json().catch(() => null);
    return { status: r.status, json, retryAfter: Number(r.headers.get("Retry-After")) || 0 };
  } catch {
    return { status: 0, json: null, retryAfter: 0 };
  } finally {
    win.clearTimeout(timer);
  }
}

function events(path: string, on: EventStreamHandlers): () => void {
  const source = new EventSource(path);
  source.addEventListener("item", (e: MessageEvent<string>) => on.item(e.data));
  source.addEventListener("end", (e: MessageEvent<string>) => on.end(e.data));
  source.addEventListener("error", () => on.error(source.readyState === EventSource.CLOSED));
  return () => source.close();
}

/** Storage may be forbidden to frames; then the panel lives without. */
function storage(get: () => Storage): KeyValue {
  try {
    return get();
  } catch {
    const map = new Map<string, string>();
    return {
      getItem: (k) => map.get(k) ?? null,
      setItem: (k, v) => void map.set(k, v),
      removeItem: (k) => void map.delete(k),
      get length() {
        return map.size;
      },
      key: (i) => [...map.keys()][i] ?? null,
    };
  }
}

/** Web Locks exist in secure contexts only; without them every tab is on its own. */
function lock(locks: LockManager | undefined, name: string, how: "try" | "wait" | "steal", lost: () => void): Promise<(() => void) | null> {
  if (!locks) return Promise.resolve(() => undefined);
  const options: LockOptions = how === "wait" ? {} : how === "try" ? { ifAvailable: true } : { steal: true };
  return new Promise((resolve) => {
    let done = false;
    const held = locks.request(name, options, (l) => {
      if (!l) return resolve(null);
      return new Promise<void>((free) => {
        resolve(() => {
          done = true;
          free();
        });
      });
    });
    held.catch(() => {
      resolve(null);
      if (!done) lost(); // stolen
    });
  });
}

function listen(win: Window, event: WindowEvent, fn: () => void): void {
  if (event !== "focus") return win.addEventListener(event, fn);
  win.addEventListener("focus", fn);
  win.document.addEventListener("visibilitychange", () => win.document.visibilityState === "visible" && fn());
}
