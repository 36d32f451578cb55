/** The tests in a real browser, against the real program and its own PostgreSQL: e2e/setup.ts builds and starts them. */
import { defineConfig, devices } from '@playwright/test';
import { browserOptions } from '../sdk/typescript/test/support/browser';

const chromium = { ...devices['Desktop Chrome'], viewport: { width: 1280, height: 800 }, launchOptions: browserOptions() };

export default defineConfig({
  testDir: './e2e',
  outputDir: './test-results',
  globalSetup: './e2e/setup.ts',
  fullyParallel: true,
  workers: 2,
  retries: process.env['CI'] ? 1 : 0, // what passes the second time only is reported as flaky, and is a bug to find
  forbidOnly: Boolean(process.env['CI']),
  reporter: 'list',
  // Only what is broken waits so long: everything here takes a moment, on a machine that has one to spare.
  timeout: 180_000,
  expect: { timeout: 30_000 },
  testIgnore: process.env['PICTURES'] ? [] : ['pictures.spec.ts'],
  use: {
    baseURL: process.env['NIMBUS_E2E_URL'],
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
    contextOptions: { reducedMotion: 'reduce' },
    actionTimeout: 30_000,
    // A trace of every test costs more than the tests: `npm run e2e -- --trace on` where one fails.
    screenshot: 'only-on-failure',
  },
  projects: [
    { name: 'light', use: { ...chromium, colorScheme: 'light' } },
    { name: 'dark', use: { ...chromium, colorScheme: 'dark' }, testMatch: 'pictures.spec.ts' },
  ],
});
