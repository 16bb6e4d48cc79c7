import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: ".",
  testMatch: "*.spec.ts",
  workers: 2,
  fullyParallel: true,
  timeout: 60_000,
  // In CI what passes only the second time is printed as flaky; what fails twice fails.
  retries: process.env["CI"] ? 1 : 0,
  forbidOnly: true,
  reporter: [["line"]],
  outputDir: "../../../test-results/gallery",
  use: {
    browserName: "chromium",
    locale: "en-GB",
    timezoneId: "UTC",
    viewport: { width: 400, height: 680 },
    launchOptions: {
      executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
      args: ["--no-sandbox"],
    },
  },
});
