// The launcher as it is shipped, on pages shaped like Mastodon's and under Mastodon's policy.
import { expect, test, type Page } from "@playwright/test";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const built = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..", "static", "dist", "embed.js");

interface Shell {
  me?: string;
  html?: string;
  body?: string;
  mastodon?: boolean;
  script?: string;
}

/** A page like Mastodon's. Its shortcuts write down the keys they hear. */
function shell({ me = "42", html = "data-color-scheme=\"light\" data-contrast=\"default\"", body = "", mastodon = true, script = "" }: Shell): string {
  const state = JSON.stringify({ compose: { me: "13" }, meta: { access_token: "SECRET", me: me || undefined, domain: "x" }, accounts: { 1: { me: "14" } } });
  return `<!doctype html><html lang="pt-BR" ${html}><head><meta charset="utf-8"><title>Mastodon</title><link rel="icon" href="data:,">
<script id="initial-state" type="application/json">${state}</script></head><body ${body}>${mastodon ? '<div id="mastodon"><a href="#x">timeline</a></div>' : ""}
<script src="/trunkline/embed.js" defer ${script}></script><script src="/keys.js" defer></script></body></html>`;
}

// What stands in the frame: writes down what it is told and says what it is asked to.
const panel = '<!doctype html><title>Chat</title><link rel="icon" href="data:,"><input aria-label="in the panel"><script src="/panel.js"></script>';
const panelScript = 'window.told = []; addEventListener("message", (e) => told.push({ origin: e.origin, ...e.data })); window.say = (m) => parent.postMessage(m, "*"); say({ type: "trunkline:ready" });';
const keys = "window.keys = []; for (const t of ['keydown', 'keypress', 'keyup']) document.addEventListener(t, (e) => keys.push(e.key));";
const policy = (chat: string): string => `default-src 'none'; base-uri 'none'; frame-ancestors 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'nonce-x'; frame-src 'self' https: ${chat}; img-src 'self' data:; form-action 'none'`;

test.use({ viewport: { width: 1280, height: 800 } });

let chat = "";
let site = "";
let servers: Server[] = [];
let pages = new Map<string, string>();

async function listen(answer: (path: string) => { type: string; body: string; csp?: string } | undefined): Promise<string> {
  const server = createServer((request, response) => {
    const found = answer(new URL(request.url ?? "/", "http://x").pathname);
    response.writeHead(found ? 200 : 404, { "content-type": found?.type ?? "text/plain", ...(found?.csp ? { "content-security-policy": found.csp } : {}) });
    response.end(found?.body);
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test.beforeAll(async () => {
  const script = { type: "text/javascript" };
  chat = await listen((path) => (path === "/panel" ? { type: "text/html", body: panel } : path === "/panel.js" ? { ...script, body: panelScript } : undefined));
  const embed = readFileSync(built, "utf8").replaceAll("__TRUNKLINE_CHAT_ORIGIN__", chat);
  site = await listen((path) => {
    if (path === "/trunkline/embed.js") return { ...script, body: embed };
    if (path === "/keys.js") return { ...script, body: keys };
    const body = pages.get(path);
    return body === undefined ? undefined : { type: "text/html", body, csp: policy(chat) };
  });
});
test.beforeEach(() => {
  pages = new Map([["/", shell({})]]);
});
test.afterAll(async () => {
  await Promise.all(servers.map((server) => new Promise((done) => {
    server.closeAllConnections();
    server.close(done);
  })));
  servers = [];
});

interface Frame {
  told: Record<string, unknown>[];
  say(message: unknown): void;
}

const inPanel = (page: Page) => page.frames().find((frame) => frame.url().startsWith(chat));
const say = (page: Page, message: unknown): Promise<void> | undefined => inPanel(page)?.evaluate((m) => (window as unknown as Frame).say(m), message);
const told = async (page: Page): Promise<Record<string, unknown>[]> => (await inPanel(page)?.evaluate(() => (window as unknown as Frame).told)) ?? [];
const button = (page: Page) => page.getByRole("button", { name: /chat/i });
const frame = (page: Page) => page.locator("iframe[title=Chat]");

async function open(page: Page): Promise<void> {
  await button(page).click();
  await expect.poll(async () => (await told(page)).length).toBeGreaterThan(0);
}

for (const [name, page404] of Object.entries({
  "a page without the web app": shell({ mastodon: false }),
  "a page with nobody signed in": shell({ me: "" }),
  "a page without state": shell({}).replace("initial-state", "other"),
  "a page with broken state": shell({}).replace("{", "{{"),
})) {
  test(`nothing on ${name}`, async ({ page }) => {
    pages.set("/", page404);
    await page.goto(site);
    await page.waitForLoadState("load");
    await expect(page.locator("trunkline-chat")).toHaveCount(0);
  });
}

test("nothing inside a frame", async ({ page }) => {
  pages.set("/outer", `<!doctype html><iframe src="${site}/"></iframe>`);
  await page.goto(`${site}/outer`);
  await expect(page.frameLocator("iframe").locator("#mastodon")).toBeAttached();
  await expect(page.frameLocator("iframe").locator("trunkline-chat")).toHaveCount(0);
});

test("a button, and the frame only when it is asked for", async ({ page }) => {
  const complaints: string[] = [];
  page.on("console", (line) => complaints.push(line.text()));
  await page.goto(site);
  await expect(button(page)).toHaveAccessibleName("Open chat");
  await expect(button(page)).toHaveAttribute("aria-expanded", "false");
  await expect(frame(page)).toHaveCount(0);
  await open(page);
  await expect(button(page)).toHaveAttribute("aria-expanded", "true");
  const [first] = await told(page);
  expect(first).toEqual({ type: "trunkline:host", origin: site, theme: "light", contrast: "default", lang: "pt-BR", me: "42", signedIn: true, page: `${site}/`, open: true });
  expect(JSON.stringify(await told(page))).not.toContain("SECRET");
  expect(complaints).toEqual([]);
});

test("Escape closes and gives the focus back; keys do not reach the page", async ({ page }) => {
  await page.goto(site);
  await open(page);
  await inPanel(page)?.getByLabel("in the panel").press("n");
  await say(page, { type: "trunkline:close" });
  await expect(button(page)).toBeFocused();
  await expect(frame(page)).toBeHidden();
  await page.keyboard.press("Enter");
  await expect(frame(page)).toBeVisible();
  await button(page).focus();
  await page.keyboard.press("Escape");
  await expect(frame(page)).toBeHidden();
  await page.keyboard.press("n");
  expect(await page.evaluate(() => (window as unknown as { keys: string[] }).keys)).toEqual([]);
  await page.locator("#mastodon a").focus();
  await page.keyboard.press("n");
  expect(await page.evaluate(() => (window as unknown as { keys: string[] }).keys)).toContain("n");
});

test("unread messages: a badge, a name, and a word when more come", async ({ page }) => {
  await page.goto(site);
  await open(page);
  await say(page, { type: "trunkline:unread", count: 3 });
  await expect(button(page)).toHaveAccessibleName("Close chat, 3 unread");
  await say(page, { type: "trunkline:close" });
  await say(page, { type: "trunkline:unread", count: 120 });
  await expect(page.locator("trunkline-chat b")).toHaveText("99+");
  await expect(page.locator("trunkline-chat [role=status]")).toHaveText("Unread chat messages: 120");
  for (const count of ["<b>", -1, null, 0.5]) await say(page, { type: "trunkline:unread", count });
  await expect(button(page)).toHaveAccessibleName("Open chat");
  await expect(page.locator("trunkline-chat b")).toBeHidden();
});

test("nobody but the panel is listened to", async ({ page }) => {
  await page.goto(site);
  await open(page);
  await page.evaluate(() => postMessage({ type: "trunkline:unread", count: 9 }, "*"));
  await page.evaluate((src) => {
    const other = document.createElement("iframe");
    other.src = `${src}/panel`;
    document.body.append(other);
    return new Promise((done) => (other.onload = done));
  }, chat);
  await page.frames().at(-1)?.evaluate(() => (window as unknown as Frame).say({ type: "trunkline:unread", count: 9 }));
  await say(page, { type: "trunkline:unread", count: 1 });
  await expect(button(page)).toHaveAccessibleName("Close chat, 1 unread");
});

test("used before: loaded out of sight, for the same person only", async ({ page }) => {
  await page.goto(site);
  await open(page);
  await say(page, { type: "trunkline:used", used: true });
  await expect.poll(() => page.evaluate(() => localStorage.getItem("trunkline:used"))).toBe("42");
  await page.reload();
  await expect(frame(page)).toBeAttached();
  await expect(frame(page)).toBeHidden();
  pages.set("/", shell({ me: "43" }));
  await page.reload();
  await expect(button(page)).toBeVisible();
  await expect(frame(page)).toHaveCount(0);
});

test("when the page signs out in one tab, the other tab's chat goes too", async ({ page, context }) => {
  await page.goto(site);
  await open(page);
  await say(page, { type: "trunkline:used", used: true });
  await expect.poll(() => page.evaluate(() => localStorage.getItem("trunkline:used"))).toBe("42");
  pages.set("/", shell({ me: "" }));
  const other = await context.newPage();
  await other.goto(site);
  await expect(page.locator("trunkline-chat")).toHaveCount(0);
});

test("signed out of Mastodon: the chat is loaded unseen, told so, and gone when it has signed out as well", async ({ page }) => {
  await page.goto(site);
  await page.evaluate(() => localStorage.setItem("trunkline:used", "42"));
  pages.set("/", shell({ me: "" }));
  await page.reload();
  await expect.poll(async () => (await told(page)).length).toBeGreaterThan(0);
  expect((await told(page)).at(-1)).toMatchObject({ type: "trunkline:host", me: "", signedIn: false, open: false });
  await expect(frame(page)).toBeHidden();
  await expect(button(page)).toHaveCount(0);
  expect(await page.evaluate(() => localStorage.getItem("trunkline:used"))).toBe("");
  await page.reload(); // before it was done: once more
  await expect.poll(async () => (await told(page)).length).toBeGreaterThan(0);
  await say(page, { type: "trunkline:used", used: false });
  await expect(page.locator("trunkline-chat")).toHaveCount(0);
  expect(await page.evaluate(() => localStorage.getItem("trunkline:used"))).toBeNull();
  await page.goto(`${site}/#trunkline`);
  await page.reload();
  await expect(page.locator("trunkline-chat")).toHaveCount(0);
});

const looks: [name: string, html: string, body: string, theme: string, contrast: string][] = [
  ["4.6 dark", 'data-color-scheme="dark" data-contrast="default"', "", "dark", "default"],
  ["4.6 light, high contrast", 'data-color-scheme="light" data-contrast="high"', "", "light", "high"],
  ["4.6 auto", 'data-color-scheme="auto"', "", "dark", "default"],
  ["4.3 default", "", 'class="app-body theme-default"', "dark", "default"],
  ["4.3 light", "", 'class="app-body theme-mastodon-light no-reduce-motion"', "light", "default"],
  ["4.3 contrast", "", 'class="theme-contrast"', "dark", "high"],
  ["4.3 system", "", 'class="theme-system"', "dark", "default"],
  ["a fork's light", "", 'class="flavour-glitch skin-mastodon-light"', "light", "default"],
  ["another theme, dark by its colour", 'bgcolor=""', 'class="theme-birdsite" bgcolor="#101010"', "dark", "default"],
  ["another theme, light by its colour", "", 'class="theme-birdsite" bgcolor="#fafafa"', "light", "default"],
];

test.describe("looks", () => {
  test.use({ colorScheme: "dark" });
  for (const [name, html, body, theme, contrast] of looks) {
    test(name, async ({ page }) => {
      pages.set("/", shell({ html, body }));
      await page.goto(site);
      const host = page.locator("trunkline-chat");
      await expect(host).toHaveAttribute("data-theme", theme);
      await expect(host).toHaveAttribute("data-contrast", contrast);
    });
  }

  test("the panel hears of a change", async ({ page }) => {
    await page.goto(site);
    await open(page);
    await page.evaluate(() => (document.documentElement.dataset["colorScheme"] = "dark"));
    await expect.poll(async () => (await told(page)).at(-1)?.["theme"]).toBe("dark");
  });
});

test("back from a login by redirect: opens by itself, and tells an error once", async ({ page }) => {
  await page.goto(`${site}/#trunkline-error=denied`);
  await expect(frame(page)).toBeVisible();
  await expect(frame(page)).toHaveAttribute("src", `${chat}/panel#error=denied`);
  expect(page.url()).toBe(`${site}/`);
  await page.goto("about:blank");
  await page.goto(`${site}/#trunkline`);
  await expect(frame(page)).toHaveAttribute("src", `${chat}/panel`);
  await page.goto("about:blank");
  await page.goto(`${site}/#elsewhere`);
  await expect(button(page)).toBeVisible();
  await expect(frame(page)).toHaveCount(0);
});

test("the other corner", async ({ page }) => {
  pages.set("/", shell({ script: 'data-position="bottom-start"' }));
  await page.goto(site);
  expect((await button(page).boundingBox())?.x).toBe(20);
});

test("clear of what pops out in its corner", async ({ page }) => {
  await page.goto(site);
  const before = (await button(page).boundingBox())?.x ?? NaN;
  await page.evaluate(() => document.body.append(Object.assign(document.createElement("div"), { className: "picture-in-picture" })));
  expect((await button(page).boundingBox())?.x).toBeLessThanOrEqual(before - 320);
});

test.describe("on a phone", () => {
  test.use({ viewport: { width: 360, height: 740 } });

  test("clear of the bottom bar; the open panel is a sheet over everything", async ({ page }) => {
    await page.goto(site);
    const box = await button(page).boundingBox();
    expect((box?.y ?? 740) + (box?.height ?? 0)).toBeLessThanOrEqual(740 - 55 - 20);
    await open(page);
    expect(await frame(page).boundingBox()).toEqual({ x: 0, y: 0, width: 360, height: 740 });
    await expect(button(page)).toHaveCount(0); // under the sheet, and out of reach
    await expect(page.locator("#mastodon")).toHaveAttribute("inert", "");
    await say(page, { type: "trunkline:close" });
    await expect(button(page)).toBeFocused();
    await expect(page.locator("#mastodon")).not.toHaveAttribute("inert");
  });

  test("clear of the column of symbols of 4.3", async ({ page }) => {
    pages.set("/", shell({ html: "", body: 'class="theme-default"' }));
    await page.goto(site);
    const box = await button(page).boundingBox();
    expect((box?.x ?? 360) + (box?.width ?? 0)).toBeLessThanOrEqual(360 - 55 - 20);
  });
});
