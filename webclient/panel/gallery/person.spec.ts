// Taking back a permission, and taking somebody off the list.
import AxeBuilder from "@axe-core/playwright";
import { expect, test, type Page } from "@playwright/test";
import { serve, type Served } from "./serve.ts";

let served: Served;
test.beforeAll(async () => {
  served = await serve();
});
test.afterAll(() => served.close());

const ROMEO = "romeo@verona.example";
const called = (page: Page): Promise<unknown[][]> =>
  page.evaluate(() => (window as unknown as { gallery: { calls: unknown[][] } }).gallery.calls.filter(([name]) => /revoke|remove|close/.test(String(name))));
const about = (page: Page) => page.getByRole("button", { name: "About this contact" });

test.beforeEach(async ({ page }) => {
  await page.goto(`${served.origin}/?close=1&state=conversation`);
  await about(page).press("Enter");
});

test("what was allowed is taken back by one press", async ({ page }) => {
  const stop = page.getByRole("button", { name: "Stop showing them when I am online" });
  await expect(stop).toBeFocused();
  await stop.press("Enter");
  await expect.poll(() => called(page)).toEqual([["revokePresence", ROMEO]]);
});

test("removing asks first, and the harmless answer is the near one", async ({ page }) => {
  const remove = page.getByRole("button", { name: "Remove from my contacts" });
  await remove.press("Enter");
  const keep = page.getByRole("button", { name: "Keep" });
  await expect(keep).toBeFocused();
  await keep.press("Enter");
  expect(await called(page)).toEqual([]);
  await remove.press("Enter");
  await expect(keep).toBeFocused();
  await page.getByRole("group", { name: /Remove .*Romeo Montague.* from your contacts/ }).getByRole("button", { name: "Remove" }).press("Enter");
  await expect.poll(() => called(page)).toEqual([["removeContact", ROMEO]]);
});

test("Escape closes this and not the chat, and the focus goes back", async ({ page }) => {
  await expect(page.getByRole("button", { name: "Stop showing them when I am online" })).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(about(page)).toBeFocused();
  await expect(about(page)).toHaveAttribute("aria-expanded", "false");
  expect(await called(page)).toEqual([]);
});

for (const [theme, width] of [["light", 380], ["dark", 320]] as const) {
  test(`nothing that the checks object to, ${theme}, ${width} px`, async ({ page }, info) => {
    await page.setViewportSize({ width, height: 640 });
    await page.goto(`${served.origin}/?close=1&state=conversation&theme=${theme}`);
    await about(page).press("Enter");
    for (const step of ["open", "sure"]) {
      if (step === "sure") await page.getByRole("button", { name: "Remove from my contacts" }).press("Enter");
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
      expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
      await page.screenshot({ path: info.outputPath(`${step}.png`) });
    }
  });
}
