// Every state of the panel: no violation of WCAG 2.2 AA, nothing wider than the panel, and a picture in screenshots/.
import { AxeBuilder } from "@axe-core/playwright";
import { expect, test, type Page } from "@playwright/test";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { states } from "./fixtures.ts";
import { serve, type Served } from "./serve.ts";

const pictures = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..", "screenshots");

let served: Served;
test.beforeAll(async () => {
  served = await serve();
});
test.afterAll(() => served.close());

/** Opens a state and fails on anything the page itself complains about. */
export async function show(page: Page, state: string, query = ""): Promise<string[]> {
  const complaints: string[] = [];
  page.on("console", (line) => {
    if (line.type() === "error" || line.type() === "warning") complaints.push(line.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(`${served.origin}/?close=1&state=${state}${query}`);
  await page.locator(".panel").waitFor();
  return complaints;
}

/** What is looked at: everything, or only what another look of the same page can change. */
type Depth = "full" | "colours" | "layout";

async function violations(page: Page, depth: Depth): Promise<string[]> {
  const axe = new AxeBuilder({ page });
  if (depth === "full") axe.withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]);
  else axe.withRules(depth === "colours" ? ["color-contrast"] : ["target-size", "scrollable-region-focusable"]);
  const { violations: found } = await axe.analyze();
  return found.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(" ")} ${node.any[0]?.message ?? node.all[0]?.message ?? ""}`));
}

/** Nothing sticks out of the panel sideways. */
async function sticksOut(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const scrollers = [document.documentElement, ...document.querySelectorAll(".log, .virtual, .page, .settings-body, .requests")];
    const wide = scrollers.filter((box) => box.scrollWidth > box.clientWidth + 1).map((box) => `scrolls sideways: ${box.className}`);
    const out = [...document.querySelectorAll(".panel button, .panel h1, .panel input, .bubble, .avatar")]
      .filter((element) => !element.closest(".vh") && element.getClientRects().length > 0)
      .filter((element) => element.getBoundingClientRect().right > width + 1 || element.getBoundingClientRect().left < -1)
      .map((element) => `sticks out: ${element.className}`);
    return [...wide, ...out];
  });
}

async function examine(page: Page, state: string, name: string, query: string, depth: Depth): Promise<void> {
  const complaints = await show(page, state, query);
  await page.screenshot({ path: join(pictures, `${name}.png`), animations: "disabled" });
  expect.soft(await violations(page, depth)).toEqual([]);
  expect.soft(await sticksOut(page)).toEqual([]);
  expect.soft(complaints).toEqual([]);
}

for (const state of Object.keys(states)) {
  for (const theme of ["light", "dark"]) {
    test(`${state}, ${theme}`, ({ page }) => examine(page, state, `${state}-${theme}`, `&theme=${theme}`, theme === "light" ? "full" : "colours"));
  }
}

const telling = ["signed-out", "address", "consent-chosen", "people-selected", "importing", "list", "list-odd-names", "list-requests", "conversation-unread", "conversation-delivery", "settings"];

for (const state of telling) {
  for (const theme of ["light", "dark"]) {
    test(`${state}, high contrast, ${theme}`, ({ page }) => examine(page, state, `${state}-high-${theme}`, `&theme=${theme}&contrast=high`, "colours"));
  }
}

test.describe("on a phone", () => {
  test.use({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });
  for (const state of [...telling, "conversation-hostile", "list-empty", "notice"]) {
    test(`${state}, phone`, async ({ page }) => {
      await examine(page, state, `${state}-phone`, "", "layout");
      const small = await page.evaluate(() => [...document.querySelectorAll("button, a.button, input, textarea, label.choice")]
        .filter((element) => !element.matches("label input") && element.getClientRects().length > 0)
        .filter((element) => element.getBoundingClientRect().height < 43.5)
        .map((element) => `${element.tagName} ${element.className} ${element.getBoundingClientRect().height}`));
      expect(small).toEqual([]);
    });
  }
});

test.describe("with room for two panes", () => {
  test.use({ viewport: { width: 1000, height: 700 } });
  for (const state of [...telling, "list-empty", "conversation-hostile"]) {
    test(`${state}, wide`, ({ page }) => examine(page, state, `${state}-wide`, "", "full"));
  }
});

test.describe("in a very narrow and low box", () => {
  test.use({ viewport: { width: 320, height: 420 } });
  for (const state of telling) {
    test(`${state}, narrow`, ({ page }) => examine(page, state, `${state}-narrow`, "", "layout"));
  }
});

test.describe("with the letters twice as large", () => {
  for (const state of telling) {
    test(`${state}, large letters`, async ({ page }) => {
      await page.addInitScript(() => addEventListener("DOMContentLoaded", () => (document.documentElement.style.fontSize = "200%")));
      await examine(page, state, `${state}-large`, "", "layout");
    });
  }
});

for (const state of ["list", "list-odd-names", "conversation-rtl", "conversation-delivery", "people-selected", "consent"]) {
  test(`${state}, right to left`, ({ page }) => examine(page, state, `${state}-rtl`, "&dir=rtl", "layout"));
}

test.describe("in forced colours", () => {
  test.use({ colorScheme: "dark" });
  for (const state of ["list", "conversation-delivery", "consent-chosen", "people-selected"]) {
    test(`${state}, forced colours`, async ({ page }) => {
      await page.emulateMedia({ forcedColors: "active" });
      await examine(page, state, `${state}-forced`, "", "layout");
    });
  }
});
