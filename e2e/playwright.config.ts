import { defineConfig } from '@playwright/test';

// The browser is the system's Chromium: nothing is downloaded by the tests.
// Root, as in most CI containers, needs Chromium without its sandbox.
export default defineConfig({
  testDir: '.',
  outputDir: '../test-results',
  fullyParallel: false,
  workers: Number(process.env['E2E_WORKERS'] ?? 2),
  forbidOnly: true,
  projects: [
    // In CI what passes only the second time is printed as flaky; what fails twice fails.
    { name: 'panel', testDir: './specs', retries: process.env['CI'] ? 1 : 0 },
    // Never again: a second try could hide that a message was lost or doubled.
    { name: 'clients', testDir: './clients', retries: 0 },
  ],
  // Generous: a slow machine is not a failure, and what hangs still ends.
  timeout: 240_000,
  expect: { timeout: 30_000 },
  reporter: [['list']],
  use: {
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
      args: [
        ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
        '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync',
        '--disable-background-networking', '--disable-component-update',
      ],
    },
  },
});
