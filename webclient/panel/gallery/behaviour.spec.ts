// What the views do: keys, focus, scrolling, announcements, and that hostile text stays text.
import { expect, test, type Page } from "@playwright/test";
import { serve, type Served } from "./serve.ts";

type Message = Record<string, unknown>;
interface Gallery {
  connect(online: boolean): void;
  calls: unknown[][];
  add(jid: string, messages: Message[], place: "start" | "end"): void;
  NOW: number;
}

declare global {
  interface Window {
    gallery: Gallery;
  }
}

let served: Served;
test.beforeAll(async () => {
  served = await serve();
});
test.afterAll(() => served.close());

async function show(page: Page, state: string): Promise<void> {
  await page.goto(`${served.origin}/?close=1&state=${state}`);
  await page.locator(".panel").waitFor();
}

const calls = (page: Page, name: string): Promise<unknown[][]> => page.evaluate((n) => window.gallery.calls.filter((call) => call[0] === n), name);
const ROMEO = "romeo@verona.example";

async function add(page: Page, count: number, place: "start" | "end", mine = false): Promise<void> {
  await page.evaluate(([jid, n, at, own]) => {
    const now = window.gallery.NOW;
    window.gallery.add(jid, Array.from({ length: n }, (_, i) => ({
      key: `${at as string}${performance.now()}${i}`, id: `${at as string}${performance.now()}${i}`, stanzaId: "", mine: own, body: `${at as string} ${i}`, state: "sent",
      at: at === "start" ? now - 90 * 86_400_000 + i * 1000 : now + i, wantsReceipt: false, markable: false,
    })), at);
  }, [ROMEO, count, place, mine] as const);
}

test("nothing is preselected, and Continue says what is missing", async ({ page }) => {
  await show(page, "consent");
  expect(await page.locator("input:checked").count()).toBe(0);
  const next = page.getByRole("button", { name: "Continue" });
  await expect(next).toHaveAttribute("aria-disabled", "true");
  await expect(next).toHaveAccessibleDescription("Choose who sees when you are online.");
  await next.click({ force: true });
  expect(await calls(page, "saveConsent")).toHaveLength(0);
  await expect(page.getByRole("radio", { name: /Nobody/ })).toBeFocused();
  expect(await page.locator("input:checked").count()).toBe(0);
  await page.keyboard.press("Space");
  await expect(next).not.toHaveAttribute("aria-disabled", "true");
  await next.click();
  expect(await calls(page, "saveConsent")).toHaveLength(1);
  expect(await page.locator("input[type=checkbox]:checked").count()).toBe(0);
});

test("what the server cannot hide is said where it cannot, and only there", async ({ page }) => {
  const said = page.getByText("anybody who knows your address can find out with a special tool whether you are connected");
  await show(page, "consent");
  await expect(page.getByText("You look offline to everyone, all the time.")).toBeVisible();
  await expect(said).toHaveCount(0);
  await show(page, "consent-discoverable");
  await expect(said).toBeVisible();
  await expect(page.getByText("all the time")).toHaveCount(0);
});

test("two thousand people: few rows in the page, all within reach of the keys", async ({ page }) => {
  await show(page, "people-2000");
  const rows = page.locator(".virtual-row");
  expect(await rows.count()).toBeLessThan(40);
  const first = page.getByRole("checkbox", { name: /Romeo Montague/ }).first();
  await first.focus();
  await page.keyboard.press("ArrowDown");
  await expect(page.locator("[data-row='1'] input")).toBeFocused();
  await page.keyboard.press("Space");
  await expect(page.locator("[data-row='1'] input").first()).toBeChecked();
  expect(await calls(page, "select")).toEqual([["select", ["1"], true]]);
  await page.keyboard.press("End");
  await expect(page.locator("[data-row='2000'] [tabindex='0']").first()).toBeFocused();
  expect(await rows.count()).toBeLessThan(40);
  await expect(page.locator("[data-row='2000']")).toHaveAttribute("aria-posinset", "2001");
  await page.keyboard.press("Home");
  await expect(page.locator("[data-row='0'] input").first()).toBeFocused();
});

test("two thousand people scroll with few rows drawn at any time", async ({ page }) => {
  await show(page, "people-2000");
  const most = await page.evaluate(async () => {
    const box = document.querySelector(".virtual");
    if (!box) return Infinity;
    let rows = 0;
    for (let i = 0; i < 60; i++) {
      box.scrollTop = (i * box.scrollHeight) / 60;
      box.dispatchEvent(new Event("scroll"));
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      rows = Math.max(rows, box.querySelectorAll(".virtual-row").length);
    }
    return rows;
  });
  expect(most).toBeGreaterThan(5);
  expect(most).toBeLessThan(60);
});

test("Enter sends, Shift+Enter breaks the line, an input method keeps its Enter", async ({ page }) => {
  await show(page, "conversation");
  const field = page.getByRole("textbox", { name: "Message to Romeo Montague" });
  await expect(field).toBeFocused();
  await page.keyboard.type("one");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("two");
  await field.evaluate((element) => {
    element.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true, cancelable: true }));
    element.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", keyCode: 229, bubbles: true, cancelable: true }));
  });
  expect(await calls(page, "send")).toHaveLength(0);
  await page.keyboard.press("Enter");
  expect(await calls(page, "send")).toEqual([["send", ROMEO, "one\ntwo"]]);
  await expect(field).toHaveValue("");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Send" }).click({ force: true });
  expect(await calls(page, "send")).toHaveLength(1);
});

test("at the bottom it stays at the bottom; above it stays where it is", async ({ page }) => {
  await show(page, "conversation-many");
  const log = page.getByRole("log");
  const fromBottom = (): Promise<number> => log.evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight);
  expect(await fromBottom()).toBeLessThan(2);
  await add(page, 1, "end");
  await expect.poll(fromBottom).toBeLessThan(2);

  await log.evaluate((box) => (box.scrollTop = 2000));
  const middle = page.locator(".message").nth(40);
  const where = async (): Promise<number> => Math.round((await middle.boundingBox())?.y ?? NaN);
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const key = (await middle.getAttribute("data-key")) ?? "";
  const before = await where();
  await add(page, 3, "end");
  await expect(page.getByRole("button", { name: "3 new messages" })).toBeVisible();
  expect(await where()).toBe(before);

  await add(page, 50, "start");
  const moved = page.locator(`[data-key="${key}"]`);
  await expect.poll(async () => Math.abs(((await moved.boundingBox())?.y ?? NaN) - before)).toBeLessThan(3);

  await page.getByRole("button", { name: "3 new messages" }).click();
  await expect.poll(fromBottom).toBeLessThan(2);
  await log.evaluate((box) => (box.scrollTop = 3000));
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))); // the scroll has been heard
  await add(page, 1, "end", true);
  await expect.poll(fromBottom, "an own message leads down").toBeLessThan(2);
  await log.evaluate((box) => (box.scrollTop = 0));
  await expect.poll(async () => (await calls(page, "loadOlder")).length).toBeGreaterThan(0);
});

test("new messages are announced, history is not", async ({ page }) => {
  await show(page, "conversation");
  const announced = page.locator("[data-announcer]");
  await expect(announced).toHaveAttribute("aria-live", "polite");
  await expect(announced).toHaveText("");
  await add(page, 5, "start");
  await expect(page.getByText("start 4")).toBeAttached();
  await expect(announced).toHaveText("");
  await add(page, 1, "end", true);
  await expect(announced).toHaveText("");
  await add(page, 1, "end");
  await expect(announced).toHaveText("Romeo Montague: end 0");
});

test("hostile text becomes text, and its links lead nowhere unexpected", async ({ page }) => {
  await show(page, "conversation-hostile");
  expect(await page.title()).toBe("Chat");
  expect(await page.locator(".log img, .log script, .log svg:not(.icon), .list img").count()).toBe(0);
  await expect(page.getByText("<img src=x onerror=\"document.title='owned'\">").first()).toBeAttached();
  const links = await page.locator(".bubble a").evaluateAll((all) => all.map((a) => [a.getAttribute("href"), a.getAttribute("rel"), a.getAttribute("target")]));
  expect(links.length).toBeGreaterThan(2);
  for (const [href, rel, target] of links) {
    expect(href).toMatch(/^https:\/\/verona\.example\//);
    expect(rel).toBe("noopener noreferrer");
    expect(target).toBe("_blank");
  }
});

test("Escape closes, but first empties a search and puts away a form", async ({ page }) => {
  await show(page, "list");
  const search = page.getByRole("searchbox");
  await search.fill("mer");
  await expect(page.locator(".virtual-row")).toHaveCount(1);
  await page.keyboard.press("Escape");
  await expect(search).toHaveValue("");
  expect(await calls(page, "close")).toHaveLength(0);
  await page.getByRole("button", { name: "Write to an address" }).click();
  await expect(page.getByLabel("Chat address")).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(page.getByLabel("Chat address")).toHaveCount(0);
  expect(await calls(page, "close")).toHaveLength(0);
  await page.keyboard.press("Escape");
  expect(await calls(page, "close")).toHaveLength(1);
});

test("the list by keys: down from the search, Enter opens, the focus moves to the composer and back", async ({ page }) => {
  await show(page, "list");
  await page.getByRole("searchbox").focus();
  await page.keyboard.press("ArrowDown");
  await expect(page.getByRole("button", { name: /Mercutio/ })).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("textbox", { name: "Message to Romeo Montague" })).toBeFocused();
  await page.getByRole("button", { name: "Back to your chats" }).click();
  await expect(page.getByRole("button", { name: /Romeo Montague/ })).toBeFocused();
});

test("a wrong address is told, a right one starts a chat", async ({ page }) => {
  await show(page, "list");
  await page.getByRole("button", { name: "Write to an address" }).click();
  const field = page.getByLabel("Chat address");
  await field.fill("no address");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert").filter({ hasText: "That is not a chat address." })).toBeVisible();
  await expect(field).toHaveAccessibleDescription("That is not a chat address.");
  await field.fill("paris@verona.example");
  await page.keyboard.press("Enter");
  expect(await calls(page, "startChat")).toEqual([["startChat", "no address"], ["startChat", "paris@verona.example"]]);
});

test("the screen that appears takes the focus to its heading", async ({ page }) => {
  await show(page, "settings");
  await expect(page.getByRole("heading", { name: "Settings" })).toBeFocused();
  await show(page, "consent");
  await expect(page.getByRole("heading", { name: "What may others see?" })).toBeFocused();
});

test("a saved choice says from when it holds", async ({ page }) => {
  for (const [state, words] of [["settings", "Saved. It holds from now on."], ["settings-pending", "Saved. It can take some minutes until it holds everywhere."]] as const) {
    await show(page, state);
    await page.getByRole("checkbox").first().check();
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByRole("status").filter({ hasText: words })).toBeVisible();
  }
});

test("delivery is said in words", async ({ page }) => {
  await show(page, "conversation-delivery");
  for (const word of ["Read", "Delivered", "Sent", "Sending", "Waiting for the connection"]) {
    await expect(page.locator(".delivery").getByText(word, { exact: true })).toBeAttached();
  }
  await page.getByRole("button", { name: "Try again" }).click();
  expect(await calls(page, "retry")).toEqual([["retry", ROMEO, "m6"]]);
});

test("a request is answered in the chat with who asks, unless the list beside it shows it", async ({ page }) => {
  await show(page, "conversation-request");
  const allow = page.getByRole("button", { name: /^Allow .*Romeo Montague/ });
  await allow.click();
  expect(await calls(page, "acceptRequest")).toEqual([["acceptRequest", "romeo@verona.example"]]);
  await page.setViewportSize({ width: 1000, height: 680 });
  await expect(allow).toHaveCount(1);
  await expect(page.locator(".list .request")).toBeVisible();
});
