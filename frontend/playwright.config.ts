/** The tests in a real browser, against the real program and its own PostgreSQL: e2e/setup.ts builds and starts them. */
import { existsSync } from 'node:fs';
import { defineConfig, devices } from '@playwright/test';

// Where scripts/fetch-chromium.sh looks too.
const browsers = [process.env['CHROMIUM_PATH'] ?? '', '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];

const chromium = {
  ...devices['Desktop Chrome'],
  viewport: { width: 1280, height: 800 },
  launchOptions: {
    timeout: 120_000,
    executablePath: browsers.find((path) => path !== '' && existsSync(path)) ?? 'chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  },
};

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
