// Every state of "Apps & devices", in many looks.
import { expect, test, type Page } from "@playwright/test";
import { judge, show, tooSmall, type Depth } from "./examine.ts";
import { serve, type Served } from "./serve.ts";

let served: Served;
test.beforeAll(async () => {
  served = await serve();
});
test.afterAll(() => served.close());

const button = (page: Page, name: string | RegExp) => page.getByRole("button", { name });
const make = (page: Page) => button(page, "Make a password").click();

async function fill(page: Page, name: string, service = ""): Promise<void> {
  await make(page);
  if (service) await page.getByRole("radio", { name: service }).check();
  await page.getByLabel("Name", { exact: true }).fill(name);
}

async function create(page: Page, name: string, service = ""): Promise<void> {
  await fill(page, name, service);
  await button(page, "Make the password").click();
}

/** How a state is reached: what the server answers, what to do, and what is then to be seen. */
interface Stage {
  answers: string;
  does?: (page: Page) => Promise<void>;
  shows: string | RegExp;
}

const stages: Record<string, Stage> = {
  "devices": { answers: "devices", shows: "Linphone on the balcony" },
  "devices-loading": { answers: "devices-loading", shows: "Loading your devices" },
  "devices-empty": { answers: "devices-empty", shows: "No device passwords yet" },
  "devices-50": { answers: "devices-50", shows: /which is the most/ },
  "devices-odd": { answers: "devices-odd", shows: /^Bartholomäus/ },
  "devices-failed": { answers: "devices-failed", shows: "The list did not come." },
  "devices-unavailable": { answers: "devices-unavailable", shows: /gives no passwords/ },
  "devices-offline": { answers: "devices-offline", shows: /The list comes when/ },
  "devices-offline-list": { answers: "devices-offline-list", does: (page) => button(page, /Remove .*Gajim/).click(), shows: /cannot be undone/ },
  "devices-sure": { answers: "devices", does: (page) => button(page, /Remove .*Gajim/).click(), shows: /cannot be undone/ },
  "devices-sure-odd": { answers: "devices-odd", does: (page) => button(page, /Remove .*Bartholo/).click(), shows: /cannot be undone/ },
  "devices-removing": {
    answers: "devices-busy",
    does: async (page) => {
      await button(page, /Remove .*Gajim/).click();
      await page.getByRole("group", { name: /cannot be undone/ }).getByRole("button", { name: "Remove" }).click();
    },
    shows: /cannot be undone/,
  },
  "devices-remove-lost": {
    answers: "devices-lost",
    does: async (page) => {
      await button(page, /Remove .*Gajim/).click();
      await page.getByRole("group", { name: /cannot be undone/ }).getByRole("button", { name: "Remove" }).click();
    },
    shows: /it may still work/,
  },
  "devices-form": { answers: "devices", does: make, shows: "What is it for?" },
  "devices-form-chat-only": { answers: "devices-chat-only", does: (page) => fill(page, "Dino on my computer"), shows: /Nobody else sees it/ },
  "devices-form-long": { answers: "devices", does: (page) => fill(page, "W".repeat(61), "SIP phone"), shows: /too long/ },
  "devices-form-busy": { answers: "devices-busy", does: (page) => create(page, "Gajim"), shows: "Make the password" },
  "devices-form-limited": { answers: "devices-limited", does: (page) => create(page, "Gajim"), shows: /a lot in a short time/ },
  "devices-form-too-many": { answers: "devices-too-many", does: (page) => create(page, "Gajim"), shows: /as many device passwords/ },
  "devices-form-bad-name": { answers: "devices-bad-name", does: (page) => create(page, "Gajim"), shows: /cannot be used/ },
  "devices-form-lost": { answers: "devices-lost", does: (page) => create(page, "Gajim"), shows: /Look at your list/ },
  "devices-made": { answers: "devices", does: (page) => create(page, "Conversations on my phone"), shows: /shown this once/ },
  "devices-made-sip": { answers: "devices", does: (page) => create(page, "Baresip on the desk", "SIP phone"), shows: /Authentication name/ },
  "devices-made-long": { answers: "devices", does: (page) => create(page, "W".repeat(60)), shows: /shown this once/ },
  "devices-made-steps": {
    answers: "devices",
    does: async (page) => {
      await create(page, "Linphone on the balcony", "SIP phone");
      await page.locator(".guide").scrollIntoViewIfNeeded();
    },
    shows: /Third-party SIP account/,
  },
  "devices-leaving": {
    answers: "devices",
    does: async (page) => {
      await create(page, "Gajim");
      await button(page, "Back to your devices").click();
    },
    shows: /Leave without/,
  },
};

async function reach(page: Page, state: string, name: string, query: string, depth: Depth): Promise<void> {
  const stage = stages[state];
  if (!stage) throw new Error(state);
  const complaints = await show(page, served.origin, stage.answers, query);
  await page.locator(".settings-body :is(.devices, .devices-none, .spinner-line, .problem, .lead)").first().waitFor();
  await stage.does?.(page);
  await expect(page.getByText(stage.shows).first()).toBeVisible();
  await judge(page, name, depth);
  expect.soft(complaints).toEqual([]);
}

for (const state of Object.keys(stages)) {
  for (const theme of ["light", "dark"]) {
    test(`${state}, ${theme}`, ({ page }) => reach(page, state, `${state}-${theme}`, `&theme=${theme}`, theme === "light" ? "full" : "colours"));
  }
}

const telling = ["devices", "devices-empty", "devices-odd", "devices-sure-odd", "devices-form", "devices-form-limited", "devices-made", "devices-made-sip", "devices-made-long", "devices-leaving"];

for (const state of telling) {
  for (const theme of ["light", "dark"]) {
    test(`${state}, high contrast, ${theme}`, ({ page }) => reach(page, state, `${state}-high-${theme}`, `&theme=${theme}&contrast=high`, "colours"));
  }
  test(`${state}, right to left`, ({ page }) => reach(page, state, `${state}-rtl`, "&dir=rtl", "layout"));
  test(`${state}, forced colours`, async ({ page }) => {
    await page.emulateMedia({ forcedColors: "active" });
    await reach(page, state, `${state}-forced`, "", "layout");
  });
  test(`${state}, large letters`, async ({ page }) => {
    await page.addInitScript(() => addEventListener("DOMContentLoaded", () => (document.documentElement.style.fontSize = "200%")));
    await reach(page, state, `${state}-large`, "", "layout");
  });
}

test.describe("on a phone", () => {
  test.use({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });
  for (const state of [...telling, "devices-50", "devices-made-steps"]) {
    test(`${state}, phone`, async ({ page }) => {
      await reach(page, state, `${state}-phone`, "", "layout");
      expect(await tooSmall(page)).toEqual([]);
    });
  }
});

test.describe("with room for two panes", () => {
  test.use({ viewport: { width: 1000, height: 700 } });
  for (const state of telling) {
    test(`${state}, wide`, ({ page }) => reach(page, state, `${state}-wide`, "", "full"));
  }
});

test.describe("in a very narrow and low box", () => {
  test.use({ viewport: { width: 320, height: 420 } });
  for (const state of telling) {
    test(`${state}, narrow`, ({ page }) => reach(page, state, `${state}-narrow`, "", "layout"));
  }
});
