// Sends with the SDKs of browsers, in a real one, from a page of another origin: node browser.mjs <sdk> <url> <write key>.
// It ends with 0 when the page said that it was done and the last request was answered with 2xx.
import { createServer } from 'node:http';
import { readFileSync, existsSync } from 'node:fs';
import { dirname, delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const [, , sdk, url, key] = process.argv;
const modules = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'node_modules');
const file = (...path) => readFileSync(join(modules, ...path), 'utf8');
const args = JSON.stringify({ url, key });

const pages = {
  'segment-browser': {
    script: () => file('@segment', 'analytics-next', 'dist', 'umd', 'index.js'),
    run: `async ({ url, key }) => {
      const [analytics] = await window.AnalyticsNext.AnalyticsBrowser.load({ writeKey: key, cdnURL: url });
      await analytics.track('Order Completed', { total: 42.5 });
      await analytics.identify('u-1', { plan: 'pro' });
      await analytics.page('Docs', 'Home');
    }`,
    count: 3,
  },
  'posthog-browser': {
    script: () => file('posthog-js', 'dist', 'array.full.js'),
    run: `async ({ url, key }) => {
      window.posthog.init(key, { api_host: url, opt_out_useragent_filter: true, autocapture: false, capture_pageview: false, capture_pageleave: false, disable_session_recording: true });
      window.posthog.capture('Order Completed', { total: 42.5 }, { send_instantly: true });
      window.posthog.identify('u-1', { plan: 'pro' });
    }`,
    count: 2,
  },
  'mixpanel-browser': {
    script: () => file('mixpanel-browser', 'dist', 'mixpanel.umd.js'),
    run: `async ({ url, key }) => {
      window.mixpanel.init(key, { api_host: url, batch_flush_interval_ms: 100 });
      window.mixpanel.track('Order Completed', { total: 42.5 });
      window.mixpanel.identify('u-1');
      window.mixpanel.people.set({ plan: 'pro' });
    }`,
    count: 2,
  },
  plausible: {
    module: () => file('@plausible-analytics', 'tracker', 'plausible.js'),
    run: `async ({ url, key, module }) => {
      module.init({ domain: key, endpoint: url + '/api/event', autoCapturePageviews: false, captureOnLocalhost: true });
      await new Promise((resolve) => module.track('Order Completed', { props: { plan: 'pro' }, callback: resolve }));
    }`,
    count: 1,
  },
};

const page = pages[sdk];
const server = createServer((req, res) => {
  if (req.url === '/sdk.js') {
    res.writeHead(200, { 'Content-Type': 'text/javascript; charset=utf-8' }).end((page.script ?? page.module)());
    return;
  }
  res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end('<!doctype html><title>Wire</title>' + (page.script ? '<script src="/sdk.js"></script>' : ''));
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

const folders = (process.env.PATH ?? '').split(delimiter);
const executablePath = [process.env.CHROMIUM_PATH ?? '', ...['chromium', 'google-chrome', 'chromium-browser'].flatMap((name) => folders.map((folder) => join(folder, name)))]
  .find((path) => path && existsSync(path));
if (!executablePath) throw new Error('no Chromium: run scripts/fetch-chromium.sh, or set CHROMIUM_PATH');
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'], timeout: 120_000 });
try {
  const tab = await browser.newPage();
  const answers = [];
  const seen = []; // for the message of a page that never sends enough
  tab.on('console', (m) => seen.push(m.text()));
  const enough = new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`only these were answered: ${answers.join(' ')}; ${seen.join('; ')}`)), 120_000).unref();
    tab.on('response', (res) => seen.push(`${res.request().method()} ${res.url()} ${res.status()}`));
    tab.on('response', (res) => {
      const request = res.request();
      if (!res.url().startsWith(url) || request.method() !== 'POST' || /flags|\/v1\/m$/.test(res.url())) return;
      if (!res.ok()) reject(new Error(`${res.url()}: ${res.status()}`));
      answers.push(res.url());
      if (answers.length >= page.count) resolve();
    });
    tab.on('requestfailed', (req) => reject(new Error(`${req.url()}: ${req.failure()?.errorText}`)));
    tab.on('pageerror', reject);
  });
  await tab.goto(`http://127.0.0.1:${server.address().port}/page`);
  const load = page.module ? `const module = await import('/sdk.js');` : 'const module = null;';
  await tab.evaluate(`(async () => { ${load} await (${page.run})({ ...${args}, module }); })()`);
  await enough;
} finally {
  await browser.close();
  server.close();
}
