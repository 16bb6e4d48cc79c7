// What is asked of every state: no violation of WCAG 2.2 AA, nothing wider than the panel, and a picture in screenshots/.
import { AxeBuilder } from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const pictures = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..", "screenshots");

/** Opens a state and fails on anything the page itself complains about. */
export async function show(page: Page, origin: string, state: string, query = ""): Promise<string[]> {
  const complaints: string[] = [];
  page.on("console", (line) => {
    if (line.type() === "error" || line.type() === "warning") complaints.push(line.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(`${origin}/?close=1&state=${state}${query}`);
  await page.locator(".panel").waitFor();
  return complaints;
}

/** What is looked at: everything, or only what another look of the same page can change. */
export type Depth = "full" | "colours" | "layout";

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
    const scrollers = [document.documentElement, ...document.querySelectorAll(".log, .virtual, .page, .settings-body, .requests, dd, .device")];
    const wide = scrollers.filter((box) => box.scrollWidth > box.clientWidth + 1).map((box) => `scrolls sideways: ${box.className}`);
    const out = [...document.querySelectorAll(".panel button, .panel h1, .panel input, .bubble, .avatar")]
      .filter((element) => !element.closest(".vh") && element.getClientRects().length > 0)
      .filter((element) => element.getBoundingClientRect().right > width + 1 || element.getBoundingClientRect().left < -1)
      .map((element) => `sticks out: ${element.className}`);
    return [...wide, ...out];
  });
}

/** A picture of the page as it is, and what is wrong with it. */
export async function judge(page: Page, name: string, depth: Depth): Promise<void> {
  await page.screenshot({ path: join(pictures, `${name}.png`), animations: "disabled" });
  expect.soft(await violations(page, depth)).toEqual([]);
  expect.soft(await sticksOut(page)).toEqual([]);
}

export async function examine(page: Page, origin: string, state: string, name: string, query: string, depth: Depth): Promise<void> {
  const complaints = await show(page, origin, state, query);
  await judge(page, name, depth);
  expect.soft(complaints).toEqual([]);
}

/** What is too small for a finger. */
export function tooSmall(page: Page): Promise<string[]> {
  return page.evaluate(() => [...document.querySelectorAll("button, a.button, input, textarea, label.choice, label.chip")]
    .filter((element) => !element.matches("label input") && element.getClientRects().length > 0)
    .filter((element) => element.getBoundingClientRect().height < 43.5)
    .map((element) => `${element.tagName} ${element.className} ${element.getBoundingClientRect().height}`));
}
