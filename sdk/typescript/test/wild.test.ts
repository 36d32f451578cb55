// The page's tracker where pages really are: wrong clocks, odd ids, texts of any length, full storages, snippets twice,
// paths before the server, modules, hash routers and servers that render pages. In a real browser, against the real server.
import assert from 'node:assert/strict';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { type Browser, chromium, type Page } from 'playwright-core';
import { createBrowserTracker } from '../src/browser.js';
import type { StoredEvent } from '../src/index.js';
import { browserOptions } from './support/browser.js';
import { Nimbus } from './support/processes.js';
import { arrived, newTenant, stored, type Tenant } from './support/tenant.js';

const nimbus = new Nimbus();
let browser: Browser;
let site: Server;
let origin: string;

before(async () => {
  [browser] = await Promise.all([chromium.launch(browserOptions()), nimbus.start()]);
  // A site with Nimbus below /analytics, as a proxy has it that takes the prefix off.
  site = createServer((req, res) => {
    const url = new URL(req.url ?? '', 'http://site');
    if (url.pathname.startsWith('/analytics/')) {
      const to = request(`${nimbus.url}${url.pathname.slice('/analytics'.length)}`, { method: req.method, headers: req.headers }, (from) => {
        res.writeHead(from.statusCode ?? 500, from.headers);
        from.pipe(res);
      });
      req.pipe(to);
      return;
    }
    res.setHeader('Content-Type', 'text/html; charset=utf-8');
    res.setHeader('Referrer-Policy', 'unsafe-url');
    res.end(`<!doctype html><title>${url.pathname}</title>${url.searchParams.get('head') ?? ''}<body>`);
  });
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
});
after(async () => {
  await browser.close();
  site.close();
  await nimbus.remove();
});

interface Calls {
  q?: unknown[];
  track(name?: unknown, props?: unknown, options?: unknown): Promise<void>;
  page(props?: unknown): Promise<void>;
  identify(...args: unknown[]): Promise<void>;
  flush(): Promise<void>;
  stats(): { tracked: number; delivered: number; rejected: number; dropped: number; waiting: number };
}
declare const window: { nimbus: Calls };
declare const localStorage: Record<string, string>;
declare const location: { hash: string };
declare const document: { title: string };

const stub = `<script>if(!window.nimbus?.track){nimbus={q:[]};for(const m of 'track page identify alias group setPeople setPeopleOnce addPeople unsetPeople register reset optIn optOut'.split(' '))nimbus[m]=(...a)=>nimbus.q.push([m,...a])}</script>`;
const tag = (tenant: Tenant, attributes = '', src = `${nimbus.url}/sdk.js`) =>
  `${stub}<script async src="${src}" data-write-key="${tenant.writeKey}" data-project="${tenant.projectId}" ${attributes}></script>`;

/** Opens a page with this head, and gives what was said on its console and what was thrown in it. */
async function open(head: string, { path = '/', hash = '', init = '' } = {}): Promise<{ page: Page; said: string[]; thrown: string[] }> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const said: string[] = [];
  const thrown: string[] = [];
  page.on('console', (message) => void said.push(message.text()));
  page.on('pageerror', (error) => void thrown.push(String(error)));
  if (init) await context.addInitScript(init);
  await page.goto(`${origin}${path}?head=${encodeURIComponent(head)}${hash}`);
  await page.waitForFunction(() => 'stats' in window.nimbus);
  return { page, said, thrown };
}
const flush = (page: Page) => page.evaluate(() => window.nimbus.flush());
const noPages = 'data-page-views="false"';
const clockAt = (offset: string) => `{ const real = Date.now, Real = Date; Date = class extends Real { constructor(...a) { super(...(a.length ? a : [real() + (${offset})])); } static now() { return real() + (${offset}); } }; }`;

for (const [name, offset] of [
  ['two days ahead', '2 * 864e5'],
  ['never set', '-real()'],
  ['400 days behind', '-400 * 864e5'],
] as const) {
  test(`an event of a page whose clock is ${name} is stored at its time, once`, async () => {
    const tenant = await newTenant(nimbus.url, [origin]);
    const { page } = await open(tag(tenant, noPages), { init: clockAt(offset) });
    await page.evaluate(() => window.nimbus.track('e'));
    await flush(page);
    const events = await stored(tenant);
    assert.equal(events.length, 1);
    assert.ok(Math.abs(Date.parse(events[0]?.ts ?? '') - Date.now()) < 30_000, events[0]?.ts);
    await page.context().close();
  });
}

test('an id that is a number is a person, with and without storage, and a word for nobody is none', async () => {
  for (const attributes of [noPages, `${noPages} data-cookieless`]) {
    const tenant = await newTenant(nimbus.url, [origin]);
    const { page } = await open(tag(tenant, attributes));
    await page.evaluate(async () => {
      const junk = [undefined, null, '', ' ', 'undefined', 'NULL', '[object Object]', {}, [1], Number.NaN, 0, '-1', true, 'anonymous', '00000000-0000-0000-0000-000000000000', 'x'.repeat(201), () => 1];
      for (const id of junk) {
        await window.nimbus.identify(id);
        await window.nimbus.track('nobody', {}, { userId: id, anonymousId: id });
      }
      await window.nimbus.identify(42);
      await window.nimbus.track('somebody');
      await window.nimbus.track('somebody', {}, { userId: 'undefined' });
      await window.nimbus.track('another', {}, { userId: 7n });
    });
    await flush(page);
    const events = await stored(tenant);
    const people = (name: string) => [...new Set(events.filter((e) => e.name === name).map((e) => e.user_id))];
    assert.deepEqual([people('nobody'), people('somebody'), people('another')], [[undefined], ['42'], ['7']]);
    assert.deepEqual(await page.evaluate(() => window.nimbus.stats().rejected), 0);
    assert.equal(new Set(events.map((e) => e.anonymous_id)).size, 1);
    await page.context().close();
  }
});

test('an id of nobody that is stored already is nobody', async () => {
  const tenant = await newTenant(nimbus.url, [origin]);
  const { page } = await open(tag(tenant, noPages), { init: `localStorage.setItem('nimbus.${tenant.projectId}.user', '[object Object]')` });
  await page.evaluate(() => window.nimbus.track('e'));
  await flush(page);
  assert.deepEqual((await stored(tenant)).map((e) => e.user_id), [undefined]);
  await page.context().close();
});

test('what could not be stored is repaired or cut, and debug mode says so', async () => {
  const tenant = await newTenant(nimbus.url, [origin]);
  const { page, said, thrown } = await open(tag(tenant, `${noPages} data-debug`));
  await page.evaluate(async () => {
    document.title = 'x'.repeat(50_000);
    await window.nimbus.page();
    await window.nimbus.track('half', { text: 'half \ud83d', ['key\0']: 'a\0b', pair: '😀', backslash: '\\u0000 \\ud83d' });
    await window.nimbus.track('n'.repeat(300), {}, { idempotencyKey: 'k' });
    await window.nimbus.track('two\nlines\0');
  });
  await flush(page);
  const events = await stored(tenant);
  const props = (name: string) => events.find((e) => e.name === name)?.props ?? {};
  assert.equal(props('$pageview')['title'], 'x'.repeat(1000));
  assert.equal(props('half')['text'], 'half \ufffd');
  assert.equal(props('half')['key\ufffd'], 'a\ufffdb');
  assert.equal(props('half')['pair'], '😀');
  assert.equal(props('half')['backslash'], '\\u0000 \\ud83d');
  assert.deepEqual(events.map((e) => e.name).sort(), ['$pageview', 'half', 'n'.repeat(200), 'two lines ']);
  assert.ok(said.some((text, k) => text === 'nimbus: repaired:' && said[k + 1]?.includes('"half"')), said.join('\n'));
  assert.ok(said.some((text) => /^nimbus: \d events stored$/.test(text)), said.join('\n'));
  assert.deepEqual(thrown, []);
  await page.context().close();
});

test('what waits takes no more than 500 kB of the storage, the newest stays, and the site can store', async () => {
  const tenant = await newTenant(nimbus.url, [origin]);
  const { page, thrown } = await open(tag(tenant, noPages));
  await page.context().setOffline(true);
  const kept = await page.evaluate(async () => {
    for (let n = 0; n < 300; n++) await window.nimbus.track('e', { n, text: 'x'.repeat(20_000) });
    const mine = Object.entries(localStorage).filter(([name]) => name.includes('.e.'));
    const numbers = mine.map(([, json]) => Number(/"n":(\d+)/.exec(json)?.[1]));
    localStorage["site"] = "y".repeat(4_000_000); // throws when there is no room
    return { bytes: mine.reduce((sum, [name, json]) => sum + name.length + json.length, 0), newest: Math.max(...numbers), oldest: Math.min(...numbers), count: numbers.length };
  });
  assert.ok(kept.bytes <= 500_000, `${kept.bytes} characters`);
  assert.deepEqual([kept.newest, kept.oldest], [299, 300 - kept.count]);
  assert.deepEqual(await page.evaluate(() => window.nimbus.stats().waiting + window.nimbus.stats().dropped), 300);
  // A storage that the site has filled takes nothing of ours, and tracking goes on.
  await page.evaluate(() => {
    for (let size = 4_000_000; size >= 1; size = Math.floor(size / 2)) {
      try {
        for (let n = 0; ; n++) localStorage[`fill${size}-${n}`] = "z".repeat(size);
      } catch {}
    }
    return window.nimbus.track('full');
  });
  assert.deepEqual(thrown, []);
  await page.context().setOffline(false);
  await flush(page);
  assert.ok((await stored(tenant)).some((e) => e.name === 'full'));
  await page.context().close();
});

test('the snippet twice is one tracker and one page view, and calls before either are kept', async () => {
  const tenant = await newTenant(nimbus.url, [origin]);
  const call = `<script>nimbus.track('early')</script>`;
  const { page, said } = await open(tag(tenant) + call + tag(tenant) + call);
  await page.waitForFunction(() => window.nimbus.stats().tracked >= 3);
  await page.waitForLoadState('networkidle');
  await flush(page);
  assert.deepEqual((await stored(tenant)).map((e) => e.name).sort(), ['$pageview', 'early', 'early']);
  assert.ok(said.some((text) => text.includes('has its tracker already')), said.join('\n'));
  await page.context().close();
});

test('the query of the page before is no part of the referrer', async () => {
  const tenant = await newTenant(nimbus.url, [origin]);
  const { page } = await open(tag(tenant, noPages));
  await page.goto(`${origin}/reset?token=s3cret#part`);
  await page.evaluate((to) => Object.assign(globalThis, { location: to }), `${origin}/next?head=${encodeURIComponent(tag(tenant))}`);
  const [view] = await arrived(tenant, 1);
  assert.deepEqual([view?.props['page'], view?.props['referrer']], ['/next', `${origin}/reset`]);
  await page.context().close();
});

for (const [name, head] of [
  ['the script below a path', (t: Tenant) => tag(t, '', '/analytics/sdk.js')],
  ['a host that is a path', (t: Tenant) => tag(t, 'data-host="/analytics/"')],
  ['a host without its scheme', (t: Tenant) => tag(t, `data-host="${nimbus.url.replace('http://', '')}"`)],
  ['a module', (t: Tenant) => tag(t, 'type="module" crossorigin').replace(' async', '')],
  ['a script put in by another', (t: Tenant) => `<script type="text/html" data-write-key="${t.writeKey}" data-project="${t.projectId}" data-host="${nimbus.url}"></script><script>fetch('${nimbus.url}/sdk.js').then(r=>r.text()).then(eval)</script>`],
] as const) {
  test(`events arrive from ${name}`, async () => {
    const tenant = await newTenant(nimbus.url, [origin]);
    const { page, thrown } = await open(head(tenant).replace(/^/, head(tenant).includes('nimbus={') ? '' : stub));
    await arrived(tenant, 1);
    assert.deepEqual(thrown, []);
    await page.context().close();
  });
}

test('a page of a hash router is a page', async () => {
  const tenant = await newTenant(nimbus.url, [origin]);
  const { page } = await open(tag(tenant, 'data-hash-routing'), { path: '/app', hash: '#/home?token=s3cret' });
  await page.evaluate(() => void (location.hash = '#!/cart'));
  await page.waitForFunction(() => window.nimbus.stats().tracked === 2);
  await page.evaluate(() => void (location.hash = '#part')); // within a page
  await page.waitForFunction(() => window.nimbus.stats().tracked === 3);
  await flush(page);
  const views = (await stored(tenant)).map((e: StoredEvent) => `${String(e.props['page'])} from ${String(e.props['referrer'])}`);
  assert.deepEqual(views.sort(), [`/app from ${origin}/app#!/cart`, `/app#!/cart from ${origin}/app#/home`, '/app#/home from ']);
  await page.context().close();
});

test('nothing is thrown into the page, whatever it is given', async () => {
  const tenant = await newTenant(nimbus.url, [origin]);
  for (const head of [tag(tenant, 'data-host="http://[bad"'), `${stub}<script async src="${nimbus.url}/sdk.js"></script>`, tag(tenant, noPages)]) {
    const { page, thrown } = await open(head);
    await page.evaluate(async () => {
      const trap = { get bad() { throw new Error('trap'); } };
      const calls: Promise<unknown>[] = [];
      for (const odd of [undefined, null, 1, 'text', [], trap, Symbol('s'), () => 1, Object.create(null)]) {
        calls.push(window.nimbus.track(odd, odd, odd), window.nimbus.track('e', odd), window.nimbus.page(odd), window.nimbus.identify(odd, odd));
      }
      await Promise.allSettled(calls);
      await window.nimbus.flush();
    });
    assert.deepEqual(thrown, []);
    await page.context().close();
  }
});

test('a server that renders the page gets a tracker that does nothing', async () => {
  const tracker = createBrowserTracker({ baseUrl: '/analytics', projectId: 'p', writeKey: 'nw' });
  await tracker.track('e');
  await tracker.identify('user_1');
  tracker.optOut();
  assert.deepEqual([await tracker.close(), tracker.stats().tracked], [[], 0]);
});
