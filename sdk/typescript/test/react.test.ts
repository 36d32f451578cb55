// The bindings of React: in a real browser under StrictMode, with the routers themselves, and on a server that renders.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Browser, chromium } from 'playwright-core';
import { createElement as h } from 'react';
import { renderToString } from 'react-dom/server';
import { createBrowserTracker } from '../src/browser.js';
import { NimbusProvider, PageViews, useIdentify, useNimbus, useTrack, useTrackOnMount } from '../src/react.js';
import { recordingTransport } from '../src/testing.js';
import { browserOptions } from './support/browser.js';
import type { Scenarios } from './support/react-page.js';

declare const window: { scenarios: Record<string, (...args: unknown[]) => unknown> };
let browser: Browser;
let bundle: string;
before(async () => {
  const entryPoints = [fileURLToPath(new URL('../../test/support/react-page.tsx', import.meta.url))];
  const define = { 'process.env.NODE_ENV': '"development"' };
  const built = build({ entryPoints, bundle: true, format: 'iife', target: 'es2022', jsx: 'automatic', define, write: false, logLevel: 'error' });
  browser = await chromium.launch(browserOptions());
  bundle = (await built).outputFiles[0]?.text ?? '';
});
after(() => browser.close());

/** Runs one of the scenarios in a page of its own. */
async function run<Name extends keyof Scenarios>(name: Name, ...args: Parameters<Scenarios[Name]>): Promise<Awaited<ReturnType<Scenarios[Name]>>> {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.route('**/*', (route) => route.fulfill(new URL(route.request().url()).pathname === '/app.js' ? { contentType: 'text/javascript', body: bundle } : { contentType: 'text/html', body: '<!doctype html><title>before</title><div id="root"></div><script src="/app.js"></script>' }));
    await page.goto('https://app.example/');
    return (await page.evaluate(([which, given]) => window.scenarios[which]?.(...given), [name, args] as const)) as Awaited<ReturnType<Scenarios[Name]>>;
  } finally {
    await context.close();
  }
}

const viewed = ['/', '/a', '/b', '/a'];

for (const router of ['React Router', 'TanStack Router', 'a hook that gives a path']) {
  test(`${router}: each page is viewed once, with its own title, and not the one that leads to another`, async () => {
    const { views, warnings } = await run('walk', router);
    const route = (path: string) => (router.startsWith('a hook') ? `the page ${path}` : undefined);
    assert.deepEqual(views, viewed.map((path) => [path, path, route(path)]));
    assert.deepEqual(warnings, []);
  });
}

test('a tracker that tracks page views itself goes on alone, and the console is told', async () => {
  const { views, warnings } = await run('walk', 'React Router', { pageViews: true });
  assert.deepEqual(views.map(([path]) => path), viewed);
  assert.match(warnings[0] ?? '', /usePageViews needs one made with pageViews: false/);
});

test('a person is identified once, again when something changes, and is forgotten when they are gone', async () => {
  const { operations, anonymous } = await run('people');
  assert.deepEqual(operations, [
    ['u1', 0, { plan: 'free' }],
    ['u1', 0, { plan: { deep: ['pro'] } }],
    ['2', 1, { plan: 'free' }],
  ]);
  assert.deepEqual(anonymous, [0, 0, 0, 0, 0, 1, 1, 1]);
});

test('events are tracked once under StrictMode and Suspense, and sent when the provider goes', async () => {
  const { before: suspended, delivered, events, same, stats } = await run('events');
  assert.deepEqual(events, [['shown', 'late'], ['pressed', 'hand']]);
  assert.deepEqual([suspended, delivered, same], [0, 0, 1]);
  assert.deepEqual([stats.tracked, stats.delivered], [2, 2]);
});

test('without a provider a hook says what is missing', async () => {
  assert.equal(await run('alone'), 'Error: nimbus: there is no <NimbusProvider> above this component');
});

test('a server renders with it and sends nothing; the page that takes over tracks once', async () => {
  assert.equal(typeof (globalThis as { window?: unknown }).window, 'undefined');
  const transport = recordingTransport();
  const tracker = createBrowserTracker({ baseUrl: 'https://nimbus.example', projectId: 'p', writeKey: 'nw', fetch: transport.fetch, pageViews: false });
  const App = () => {
    useIdentify('u1', { plan: 'pro' });
    useTrackOnMount('shown');
    void useTrack()('rendered');
    return h('h1', null, '/', h(PageViews, { of: () => '/' }), useNimbus().getAnonymousId());
  };
  const html = renderToString(h(NimbusProvider, { tracker, children: h(App) }));
  assert.equal(html, '<h1>/</h1>');
  await tracker.flush();
  assert.deepEqual([transport.requests.length, tracker.stats().tracked], [0, 0]);
  const { events, warnings } = await run('hydrate', html);
  assert.deepEqual(events.sort(), ['$pageview', 'shown']);
  assert.deepEqual(warnings, []);
});
