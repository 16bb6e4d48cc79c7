/** The panel's core in a real Chromium, over an HTTP side that only says who is signed in. No views. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContext, chromium, type Page } from "@playwright/test";
import { build } from "esbuild";
import type { App } from "../../src/app.ts";
import type { Conversation, State } from "../../src/state.ts";
import { DOMAIN } from "./prosody.ts";

const PAGE = `<!doctype html><meta charset="utf-8"><title>panel</title>
<body data-instance-origin="http://instance.invalid" data-instance-name="Test" data-chat-origin=""><script src="/panel.js"></script>`;

declare global {
  interface Window {
    app: App;
  }
}

export class Panels {
  readonly #server: Server;
  readonly #browser: Browser;
  /** Requests per path since the start. */
  readonly requests: string[] = [];
  readonly signedOut = new Set<string>();

  private constructor(server: Server, browser: Browser) {
    this.#server = server;
    this.#browser = browser;
  }

  static async start(websocketUrl: () => string): Promise<Panels> {
    const built = await build({
      stdin: {
        contents: `import { startApp } from "../../src/browser.ts"; window.app = startApp();`,
        resolveDir: fileURLToPath(new URL(".", import.meta.url)),
        loader: "ts",
      },
      bundle: true, write: false, format: "iife", target: "es2022", logLevel: "silent",
    });
    const script = built.outputFiles[0]?.text ?? "";
    const server = createServer();
    const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
    const panels = new Panels(server, browser);
    server.on("request", (request, response) => {
      const path = request.url ?? "";
      panels.requests.push(`${request.method} ${path}`);
      const user = /who=(\w+)/.exec(request.headers.cookie ?? "")?.[1] ?? "";
      const send = (status: number, body: string, type: string): void => {
        response.writeHead(status, { "Content-Type": type, "Cache-Control": "no-store" });
        response.end(body);
      };
      if (path === "/panel") return send(200, PAGE, "text/html");
      if (path === "/panel.js") return send(200, script, "text/javascript");
      const answer = panels.#api(path, user, websocketUrl());
      send(answer ? 200 : 401, JSON.stringify(answer ?? { error: "signed_out" }), "application/json");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return panels;
  }

  async stop(): Promise<void> {
    await this.#browser.close();
    this.#server.closeAllConnections();
    this.#server.close();
  }

  get origin(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`;
  }

  async context(user: string): Promise<BrowserContext> {
    const context = await this.#browser.newContext();
    await context.addCookies([{ name: "who", value: user, url: this.origin }]);
    return context;
  }

  async open(context: BrowserContext): Promise<Panel> {
    const page = await context.newPage();
    await page.goto(`${this.origin}/panel`);
    return new Panel(page);
  }

  #api(path: string, user: string, websocketUrl: string): unknown {
    if (!user || this.signedOut.has(user)) return null;
    const consent = { decided: true, presence: "contacts", typing: true, receipts: true, text_version: 1, changed_at: null };
    const jid = `${user}@${DOMAIN}`;
    if (path === "/api/v1/session") {
      const account = { id: `id-${user}`, username: user, acct: user, display_name: user, avatar: "", url: "" };
      return { account, jid, instance: { name: "Test", origin: "", domain: DOMAIN }, consent, websocket_url: websocketUrl, active_import: null };
    }
    if (path === "/api/v1/credentials") return { jid, password: user, expires_in: 120, websocket_url: websocketUrl };
    if (path === "/api/v1/consent") return consent;
    if (path === "/auth/logout") {
      this.signedOut.add(user);
      return {};
    }
    return {};
  }
}

/** One tab. */
export class Panel {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  /** Waits until the state satisfies the predicate, which runs in the page. */
  async until<A>(test: (s: State, arg: A) => unknown, arg: A, what: string): Promise<void> {
    const expression = `(${test.toString()})(window.app.state.value, ${JSON.stringify(arg)})`;
    try {
      await this.page.waitForFunction(expression, undefined, { timeout: 20_000, polling: 50 });
    } catch {
      const state = await this.page.evaluate(() => JSON.stringify([window.app.state.value.screen, window.app.state.value.connection, { ...localStorage }, [...window.app.state.value.conversations.values()]]));
      throw new Error(`never: ${what}\n${state}`);
    }
  }

  online(): Promise<void> {
    return this.until((s) => s.connection.kind === "online" && s.rosterLoaded, null, "online");
  }

  async conversation(jid: string): Promise<Conversation> {
    const c = await this.page.evaluate((j) => window.app.state.value.conversations.get(j), jid);
    if (!c) throw new Error(`no conversation with ${jid}`);
    return c;
  }

  async bodies(jid: string): Promise<string[]> {
    return (await this.conversation(jid)).messages.map((m) => m.body);
  }

  send(jid: string, ...texts: string[]): Promise<void> {
    return this.page.evaluate(([j, t]) => t.forEach((text) => window.app.actions.send(j, text)), [jid, texts] as const);
  }

  openChat(jid: string): Promise<void> {
    return this.page.evaluate((j) => window.app.actions.open(j), jid);
  }

  storageKeys(): Promise<string[]> {
    return this.page.evaluate(() => [...Object.keys(localStorage), ...Object.keys(sessionStorage)]);
  }
}
