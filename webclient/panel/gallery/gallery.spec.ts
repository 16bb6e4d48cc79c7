// Every state of the panel, in many looks.
import { expect, test } from "@playwright/test";
import { examine, tooSmall } from "./examine.ts";
import { states } from "./fixtures.ts";
import { serve, type Served } from "./serve.ts";

let served: Served;
test.beforeAll(async () => {
  served = await serve();
});
test.afterAll(() => served.close());

for (const state of Object.keys(states)) {
  for (const theme of ["light", "dark"]) {
    test(`${state}, ${theme}`, ({ page }) => examine(page, served.origin, state, `${state}-${theme}`, `&theme=${theme}`, theme === "light" ? "full" : "colours"));
  }
}

const telling = ["signed-out", "address", "consent-chosen", "consent-discoverable", "people-selected", "importing", "list", "list-odd-names", "list-requests", "conversation-unread", "conversation-delivery", "settings"];

for (const state of telling) {
  for (const theme of ["light", "dark"]) {
    test(`${state}, high contrast, ${theme}`, ({ page }) => examine(page, served.origin, state, `${state}-high-${theme}`, `&theme=${theme}&contrast=high`, "colours"));
  }
}

test.describe("on a phone", () => {
  test.use({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });
  for (const state of [...telling, "conversation-hostile", "list-empty", "notice"]) {
    test(`${state}, phone`, async ({ page }) => {
      await examine(page, served.origin, state, `${state}-phone`, "", "layout");
      expect(await tooSmall(page)).toEqual([]);
    });
  }
});

test.describe("with room for two panes", () => {
  test.use({ viewport: { width: 1000, height: 700 } });
  for (const state of [...telling, "list-empty", "conversation-hostile"]) {
    test(`${state}, wide`, ({ page }) => examine(page, served.origin, state, `${state}-wide`, "", "full"));
  }
});

test.describe("in a very narrow and low box", () => {
  test.use({ viewport: { width: 320, height: 420 } });
  for (const state of telling) {
    test(`${state}, narrow`, ({ page }) => examine(page, served.origin, state, `${state}-narrow`, "", "layout"));
  }
});

test.describe("with the letters twice as large", () => {
  for (const state of telling) {
    test(`${state}, large letters`, async ({ page }) => {
      await page.addInitScript(() => addEventListener("DOMContentLoaded", () => (document.documentElement.style.fontSize = "200%")));
      await examine(page, served.origin, state, `${state}-large`, "", "layout");
    });
  }
});

for (const state of ["list", "list-odd-names", "conversation-rtl", "conversation-delivery", "people-selected", "consent"]) {
  test(`${state}, right to left`, ({ page }) => examine(page, served.origin, state, `${state}-rtl`, "&dir=rtl", "layout"));
}

test.describe("in forced colours", () => {
  test.use({ colorScheme: "dark" });
  for (const state of ["list", "conversation-delivery", "consent-chosen", "people-selected"]) {
    test(`${state}, forced colours`, async ({ page }) => {
      await page.emulateMedia({ forcedColors: "active" });
      await examine(page, served.origin, state, `${state}-forced`, "", "layout");
    });
  }
});
