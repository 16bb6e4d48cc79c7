// What "Apps & devices" does: loading later, keys, focus, words for the ears, and a secret that does not stay.
import { expect, test, type Page } from "@playwright/test";
import { show } from "./examine.ts";
import { serve, type Served } from "./serve.ts";

let served: Served;
test.beforeAll(async () => {
  served = await serve();
});
test.afterAll(() => served.close());

const SECRET = /tld(-[a-z2-7]{4}){6}/;
const button = (page: Page, name: string | RegExp) => page.getByRole("button", { name });
const heading = (page: Page, name: string) => page.getByRole("heading", { name, exact: true });
const calls = (page: Page): Promise<unknown[][]> => page.evaluate(() => window.gallery.calls);
const requests = async (page: Page): Promise<unknown[]> => (await calls(page)).filter(([name]) => /^[A-Z]+$/.test(String(name))).map((call) => `${String(call[0])} ${String(call[1])}`);
const said = (page: Page, text: string | RegExp) => page.getByRole("status").filter({ hasText: text });

/** By the keys alone: opens the form, fills it in, makes a password, and reads it. */
async function make(page: Page, name: string): Promise<string> {
  await button(page, "Make a password").press("Enter");
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.keyboard.press("Enter");
  await expect(heading(page, "Your new password")).toBeFocused();
  const secret = (await page.locator(".secret code").textContent()) ?? "";
  expect(secret).toMatch(SECRET);
  return secret;
}

async function isNowhere(page: Page, secret: string): Promise<void> {
  expect(await page.evaluate(() => JSON.stringify([document.documentElement.outerHTML, location.href, { ...localStorage }, { ...sessionStorage }, document.cookie, history.state]))).not.toContain(secret);
}

test("the page is loaded when it is opened, not before; the way back leads to where one came from", async ({ page }) => {
  const asked: string[] = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  const complaints = await show(page, served.origin, "settings");
  await expect(heading(page, "Settings")).toBeFocused();
  expect(asked).not.toContain("/devices.js");
  await button(page, "Apps & devices").press("Enter");
  await expect(heading(page, "Apps & devices")).toBeFocused();
  await expect(page.getByText("Linphone on the balcony")).toBeVisible();
  await button(page, "Back to the settings").press("Enter");
  await expect(button(page, "Apps & devices")).toBeFocused();
  await button(page, "Apps & devices").press("Enter");
  await expect(page.getByText("Linphone on the balcony")).toBeVisible();
  expect(asked.filter((path) => path === "/devices.js"), "once is enough").toHaveLength(1);
  expect(complaints).toEqual([]);
});

test("what cannot be loaded is told, and tried again; the chat goes on", async ({ page }) => {
  let up = false;
  const asked: string[] = [];
  await page.route("**/devices.js*", (route) => {
    asked.push(route.request().url());
    return up ? route.continue() : route.abort();
  });
  await page.goto(`${served.origin}/?close=1&state=settings`);
  await button(page, "Apps & devices").click();
  const problem = page.getByRole("alert").filter({ hasText: "could not be loaded" });
  await expect(problem).toBeVisible();
  await button(page, "Try again").click();
  await expect(problem).toBeVisible();
  await button(page, "Back to the settings").click();
  await button(page, "Back to your chats").click();
  await button(page, /Romeo Montague/).click();
  await expect(page.getByRole("textbox", { name: "Message to Romeo Montague" })).toBeVisible();
  await button(page, "Back to your chats").click();
  await button(page, "Settings").click();
  await button(page, "Apps & devices").click();
  await expect(problem).toBeVisible();
  up = true;
  await button(page, "Try again").click();
  await expect(page.getByText("Linphone on the balcony")).toBeVisible();
  expect(new Set(asked).size, "browsers remember of an address that it failed").toBe(asked.length);
});

test("by the keys: a password is made, copied and forgotten", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const complaints = await show(page, served.origin, "devices");
  const secret = await make(page, "Gajim at work");
  expect((await calls(page)).at(-1)).toEqual(["POST", "/api/v1/devices", { name: "Gajim at work", service: "xmpp" }]);
  await expect(page.getByRole("radio", { name: "Gajim" })).toBeChecked();
  await button(page, "Copy the password").press("Enter");
  await expect(said(page, "Copied the password.")).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(secret);
  await button(page, "Copy the address").press("Enter");
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("juliet@verona.example");
  await button(page, "Done, I have saved it").press("Enter");
  await expect(heading(page, "Apps & devices")).toBeFocused();
  await expect(said(page, "no longer shown")).toBeAttached();
  await expect(page.getByText("Gajim at work")).toBeVisible();
  await isNowhere(page, secret);
  expect(JSON.stringify(await calls(page))).not.toContain(secret);
  expect(complaints).toEqual([]);
});

test("a secret that is no longer shown is not in the memory of the page", async ({ page }) => {
  await show(page, served.origin, "devices");
  const secret = await make(page, "Gajim");
  const client = await page.context().newCDPSession(page);
  const heap = async (): Promise<string> => {
    const parts: string[] = [];
    const add = ({ chunk }: { chunk: string }): void => void parts.push(chunk);
    client.on("HeapProfiler.addHeapSnapshotChunk", add);
    await client.send("HeapProfiler.collectGarbage");
    await client.send("HeapProfiler.takeHeapSnapshot", { reportProgress: false });
    client.off("HeapProfiler.addHeapSnapshotChunk", add);
    return parts.join("");
  };
  expect(await heap(), "while it is shown it is there, or this test proves nothing").toContain(secret);
  await button(page, "Done, I have saved it").click();
  await expect(heading(page, "Apps & devices")).toBeVisible();
  await expect.poll(async () => (await heap()).includes(secret)).toBe(false);
});

test("where the browser does not let a page copy, the secret is selected for the person to do it", async ({ page }) => {
  await page.addInitScript(() => Object.defineProperty(navigator, "clipboard", { value: { writeText: () => Promise.reject(new Error("no")) } }));
  await show(page, served.origin, "devices");
  const secret = await make(page, "Gajim");
  await button(page, "Copy the password").click();
  await expect(said(page, "copy it by hand")).toBeVisible();
  expect(await page.evaluate(() => getSelection()?.toString().replace(/\s/g, ""))).toBe(secret);
});

test("leaving with the password unsaved is asked about, and the near answer is to stay", async ({ page }) => {
  await show(page, served.origin, "devices");
  const secret = await make(page, "Gajim");
  await button(page, "Back to your devices").press("Enter");
  await expect(button(page, "Stay")).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(button(page, "Back to your devices")).toBeFocused();
  expect((await calls(page)).filter(([name]) => name === "close"), "Escape was for the question").toEqual([]);
  await expect(page.locator(".secret")).toBeVisible();
  await button(page, "Back to your devices").press("Enter");
  await button(page, "Leave").press("Enter");
  await expect(heading(page, "Apps & devices")).toBeFocused();
  await isNowhere(page, secret);
});

test("who goes off to a chat with the password unsaved is told what to do", async ({ page }) => {
  await page.setViewportSize({ width: 1000, height: 680 });
  await show(page, served.origin, "devices");
  const secret = await make(page, "Gajim");
  await button(page, /Romeo Montague/).click();
  await expect(page.getByRole("alert").filter({ hasText: "remove “Gajim” and make a new one" })).toBeVisible();
  await isNowhere(page, secret);
});

test("who leaves the browser's page is asked, and the page that is kept for coming back has no secret", async ({ page }) => {
  await show(page, served.origin, "devices");
  const secret = await make(page, "Gajim");
  const asks = (): Promise<boolean> => page.evaluate(() => !dispatchEvent(new Event("beforeunload", { cancelable: true })));
  expect(await asks()).toBe(true);
  await page.evaluate(() => dispatchEvent(new Event("pagehide")));
  await expect(heading(page, "Apps & devices")).toBeVisible();
  await isNowhere(page, secret);
  await expect.poll(asks).toBe(false);
});

test("removing asks first, says what it means, and the focus goes on to the next one", async ({ page }) => {
  await show(page, served.origin, "devices");
  const remove = button(page, /^Remove .*Linphone/);
  await remove.press("Enter");
  const sure = page.getByRole("group", { name: /Remove .*Linphone on the balcony.*cannot be undone.*may still ring for up to five minutes/ });
  await expect(sure.getByRole("button", { name: "Keep" })).toBeFocused();
  await expect(remove).toHaveAttribute("aria-expanded", "true");
  await page.keyboard.press("Escape");
  await expect(remove).toBeFocused();
  expect(await requests(page)).toEqual(["GET /api/v1/devices"]);
  await page.keyboard.press("Enter");
  await expect(sure.getByRole("button", { name: "Keep" })).toBeFocused();
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("listitem").filter({ hasText: "Linphone" })).toHaveCount(0);
  expect(await requests(page)).toEqual(["GET /api/v1/devices", "DELETE /api/v1/devices/d3"]);
  await expect(said(page, "“Linphone on the balcony” is removed.")).toBeAttached();
  await expect(button(page, /^Remove .*Gajim/)).toBeFocused();
});

test("when the last one is removed the focus goes to the heading", async ({ page }) => {
  await show(page, served.origin, "devices");
  for (let left = 4; left > 0; left--) {
    await button(page, /^Remove ./).first().press("Enter");
    await expect(button(page, "Keep")).toBeFocused();
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Enter");
    await expect(page.locator(".device")).toHaveCount(left - 1);
  }
  await expect(page.getByText("No device passwords yet")).toBeVisible();
  await expect(heading(page, "Apps & devices")).toBeFocused();
});

test("the form says what is missing, takes suggestions, and offers a phone only where the server has one", async ({ page }) => {
  await show(page, served.origin, "devices");
  await button(page, "Make a password").click();
  await expect(heading(page, "New device password")).toBeFocused();
  const create = button(page, "Make the password");
  await expect(create).toHaveAccessibleDescription("Give it a name first.");
  await create.click({ force: true });
  await expect(page.getByLabel("Name", { exact: true })).toBeFocused();
  expect(await requests(page)).toEqual(["GET /api/v1/devices"]);
  await expect(page.getByText(/your contacts see when you are online/)).toBeVisible();
  await page.getByRole("radio", { name: /^Chat app/ }).focus();
  await page.keyboard.press("ArrowDown");
  await expect(page.getByRole("radio", { name: /^SIP phone/ })).toBeChecked();
  await expect(page.getByText(/your contacts see when you are online/)).toHaveCount(0);
  await button(page, "Linphone on my phone").click();
  await expect(page.getByLabel("Name", { exact: true })).toHaveValue("Linphone on my phone");
  await create.click();
  await expect(page.getByText("Third-party SIP account")).toBeVisible();
  await page.getByRole("radio", { name: "Linphone" }).focus();
  await page.keyboard.press("ArrowRight");
  await expect(page.locator(".line-of-file")).toHaveText("<sip:juliet@verona.example;transport=tls>;auth_user=juliet-k3x7q;auth_pass=PASSWORD");
  await show(page, served.origin, "devices-chat-only");
  await button(page, "Make a password").click();
  await expect(page.getByRole("radio")).toHaveCount(0);
});

test("who was too fast waits, and then may go on", async ({ page }) => {
  await show(page, served.origin, "devices-limited");
  await button(page, "Make a password").click();
  await page.getByLabel("Name", { exact: true }).fill("Gajim");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert")).toContainText("a lot in a short time");
  await expect(button(page, "Make the password")).toHaveAccessibleDescription("Wait 2 min.");
  await page.keyboard.press("Enter");
  expect(await requests(page)).toEqual(["GET /api/v1/devices", "POST /api/v1/devices"]);
});

test("the QR code is drawn as it came and says what it is", async ({ page }) => {
  await show(page, served.origin, "devices");
  await make(page, "Gajim");
  const code = page.getByRole("img", { name: "QR code of the address juliet@verona.example" });
  await expect(code).toBeVisible();
  await expect(page.getByText("It holds only the address")).toBeVisible();
  const dark = await code.evaluate((svg) => {
    const path = svg.querySelector("path");
    const point = (svg as SVGSVGElement).createSVGPoint();
    return Array.from({ length: 25 }, (_, y) => Array.from({ length: 25 }, (_, x) => {
      Object.assign(point, { x: x + 0.5, y: y + 0.5 });
      return path?.isPointInFill(point) ? "1" : "0";
    }).join(""));
  });
  expect(dark[0]).toBe("1111111000110011001111111");
  expect(dark[10]).toBe("0011101110010000111110111");
  expect(dark[24]).toBe("1111111011100101101111011");
});

test("what did not come while offline comes when the connection is back", async ({ page }) => {
  await show(page, served.origin, "devices-offline");
  await expect(page.getByRole("alert")).toContainText("You are offline.");
  await page.evaluate(() => window.gallery.connect(true));
  await expect.poll(() => requests(page)).toEqual(["GET /api/v1/devices", "GET /api/v1/devices"]);
});

test("with less motion nothing turns", async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await show(page, served.origin, "devices-loading");
  const turning = () =>
    page.locator(".spinner").evaluate((element) => element.getAnimations().filter(({ playState }) => playState === "running").length);
  await expect.poll(turning).toBe(0);
});
