// The tracker in a real browser: the page's own behaviour against the real server, and the shared list against the
// server that misbehaves.
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import type { StoredEvent } from '../src/index.js';
import { behaviours } from './support/behaviours.js';
import { ofPeople } from './support/people.js';
import { browserOptions } from './support/browser.js';
import { Nimbus, startMisbehaving } from './support/processes.js';
import { vectors } from './support/vectors.js';
import { arrived, eventually, newTenant, stored, type Tenant } from './support/tenant.js';

const nimbus = new Nimbus();
let browser: Browser;
let misbehaving: { url: string; stop: () => void };
let site: Server;
let origin: string;
let bundle: string;

before(async () => {
  [browser, misbehaving, bundle] = await Promise.all([chromium.launch(browserOptions()), startMisbehaving(), bundleBehaviours(), nimbus.start()]);
  // A site of its own origin; every page of it has the title of its path, and the head that the query asks for.
  site = createServer((req, res) => {
    const url = new URL(req.url ?? '', 'http://site');
    res.setHeader('Content-Type', 'text/html; charset=utf-8');
    res.end(`<!doctype html><title>${url.pathname}</title>${url.searchParams.get('head') ?? ''}<body>`);
  });
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
});
after(async () => {
  await browser.close();
  site.close();
  misbehaving.stop();
  await nimbus.remove();
});

/** The list of behaviours and the browser's tracker, minified as an application would have it. */
async function bundleBehaviours(): Promise<string> {
  const code = `
    import { createBrowserTracker } from './src/browser.ts';
    import { createTracker } from './src/index.ts';
    import { behaviours } from './test/support/behaviours.ts';
    import { ofPeople } from './test/support/people.ts';
    const subject = {
      create: (o) => createBrowserTracker({ writeKey: 'nw_test', pageViews: false, ...o }),
      createWith: createTracker,
      visitor: (o) => createBrowserTracker({ writeKey: 'nw_test', pageViews: false, ...o }),
      vectors: ${JSON.stringify(vectors)},
      checks: false,
    };
    window.behave = (name, server) => ({ ...behaviours, ...ofPeople })[name](subject, server);`;
  const resolveDir = fileURLToPath(new URL('../../', import.meta.url));
  const { outputFiles } = await build({ stdin: { contents: code, resolveDir }, bundle: true, minify: true, format: 'iife', target: 'es2022', write: false });
  return outputFiles[0]?.text ?? '';
}

const stub = `<script>nimbus={q:[]};for(const m of 'track page identify alias group setPeople setPeopleOnce addPeople unsetPeople register reset optIn optOut'.split(' '))nimbus[m]=(...a)=>nimbus.q.push([m,...a])</script>`;

function tag(tenant: Tenant, attributes = ''): string {
  return `${stub}<script async src="${nimbus.url}/sdk.js" data-write-key="${tenant.writeKey}" data-project="${tenant.projectId}" ${attributes}></script>`;
}

/** The address of a page of the site with this head. */
function address(path: string, head: string, query = ''): string {
  return `${origin}${path}?${query}head=${encodeURIComponent(head)}`;
}

type Calls = { track(...args: unknown[]): Promise<void>; flush(): Promise<void>; identify(...args: unknown[]): void; stats(): { delivered: number; waiting: number; retries: number; refused: number } } & Record<'reset' | 'optIn' | 'optOut', () => void>;
declare const window: { nimbus: Calls; dispatchEvent(event: Event): void; addEventListener(type: string, run: (event: { reason: unknown }) => void): void; behave(name: string, server: string): Promise<void> };
declare const localStorage: Record<string, string>;
declare const history: { pushState(...args: unknown[]): void; replaceState(...args: unknown[]): void; back(): void };
declare const document: { cookie: string };

/** Opens a page with the tracker and waits until it has loaded. */
async function open(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForFunction(() => 'stats' in window.nimbus);
  return page;
}

async function inContext(run: (context: BrowserContext) => Promise<void>): Promise<void> {
  const context = await browser.newContext();
  try {
    await run(context);
  } finally {
    await context.close();
  }
}

const flush = (page: Page): Promise<void> => page.evaluate(() => window.nimbus.flush());
const pick = (events: StoredEvent[], ...props: string[]) => events.map((e) => props.map((p) => e.props[p]));

test('a page, and each page its router goes to, is one page view of one session', () =>
  inContext(async (context) => {
    const tenant = await newTenant(nimbus.url, [origin]);
    const page = await open(context, address('/home', tag(tenant), 'utm_source=news&'));
    await page.evaluate(() => history.pushState({}, '', '/products'));
    await page.waitForFunction(() => window.nimbus.stats().waiting + window.nimbus.stats().delivered === 2);
    await page.evaluate(() => history.replaceState({}, '', '/products?sort=price'));
    await page.evaluate(() => history.replaceState({}, '', '/cart'));
    await page.waitForFunction(() => window.nimbus.stats().waiting + window.nimbus.stats().delivered === 3);
    await page.evaluate(() => history.back());
    await page.waitForFunction(() => window.nimbus.stats().waiting + window.nimbus.stats().delivered === 4);
    await flush(page);
    const events = await stored(tenant);
    assert.deepEqual(events.map((e) => e.name), Array.from({ length: 4 }, () => '$pageview'));
    // Each names the one before; the list may have two of one millisecond in any order.
    assert.deepEqual(pick(events, 'page', 'referrer').map((view) => view.join(' from ')).sort(), [
      `/cart from ${origin}/products`,
      '/home from ',
      `/home from ${origin}/cart`,
      `/products from ${origin}/home`,
    ]);
    const first = events.find((e) => e.props['referrer'] === '');
    assert.deepEqual([first?.props['utm_source'], first?.props['title']], ['news', '/home']);
    assert.equal(new Set(pick(events, 'session_id').flat()).size, 1);
    assert.equal(new Set(events.map((e) => e.anonymous_id)).size, 1);
  }));

test('calls made before the script is there are kept, and a person is known after a reload', () =>
  inContext(async (context) => {
    const tenant = await newTenant(nimbus.url, [origin]);
    const early = `<script>setTimeout(()=>0);nimbus.identify('user_1',{plan:'pro'});nimbus.track('early',{n:1})</script>`;
    const page = await open(context, address('/a', stub + early + tag(tenant).replace(stub, '')));
    await flush(page);
    await page.goto(address('/b', tag(tenant)));
    await page.waitForFunction(() => 'stats' in window.nimbus);
    await flush(page);
    const events = await arrived(tenant, 3);
    // Those of one millisecond come in any order.
    assert.deepEqual(events.map((e) => `${e.name} ${e.user_id ?? ''}`).sort(), ['$pageview user_1', '$pageview user_1', 'early user_1']);
    assert.equal(new Set(pick(events, 'session_id').flat()).size, 1);

    await page.evaluate(() => {
      window.nimbus.reset();
      void window.nimbus.track('after');
    });
    await flush(page);
    const last = (await arrived(tenant, 4)).find((e) => e.name === 'after');
    assert.ok(last);
    assert.equal(last.user_id, undefined);
    assert.notEqual(last.anonymous_id, events[0]?.anonymous_id);
    assert.notEqual(last.props['session_id'], events[0]?.props['session_id']);
  }));

test('what is known of people and groups reaches the server from a page', () =>
  inContext(async (context) => {
    const tenant = await newTenant(nimbus.url, [origin]);
    const page = await open(context, address('/a', tag(tenant, 'data-page-views="false"')));
    const paths: string[] = [];
    page.on('request', (request) => void (request.method() === 'POST' && paths.push(new URL(request.url()).pathname)));
    const { delivered, ...others } = await page.evaluate(async () => {
      const n = window.nimbus as unknown as Record<string, (...args: unknown[]) => unknown>;
      n['identify']?.('ada', { plan: 'pro' });
      n['alias']?.('ada', 'phone');
      n['group']?.('company', 'acme', { seats: 3 });
      n['setPeopleOnce']?.({ source: 'ad' });
      n['addPeople']?.({ views: 1 });
      n['unsetPeople']?.(['old']);
      n['track']?.('paid');
      await window.nimbus.flush();
      return window.nimbus.stats();
    });
    assert.deepEqual([delivered, others], [7, { tracked: 7, rejected: 0, dropped: 0, waiting: 0, refused: 0, retries: 0 }]);
    assert.deepEqual(paths, ['/v1/people/operations', '/v1/events']);
    const [paid] = await stored(tenant);
    assert.deepEqual([paid?.name, paid?.user_id, paid?.props['company']], ['paid', 'ada', 'acme']);
  }));

test('what an earlier version left in the storage arrives, and what it knew of the person holds', () =>
  inContext(async (context) => {
    const tenant = await newTenant(nimbus.url, [origin]);
    const prefix = `nimbus.${tenant.projectId}.`;
    const page = await context.newPage();
    await page.goto(address('/a', ''));
    const session = `old ${Date.now()}`; // its time alone
    await page.evaluate(
      ([p, s]) => {
        localStorage[`${p}user`] = 'ada';
        localStorage[`${p}anon`] = 'device';
        localStorage[`${p}session`] = s as string;
        localStorage[`${p}e.l0k9`] = JSON.stringify({ name: 'left', ts: new Date().toISOString(), props: { n: 1 }, anonymous_id: 'device', idempotency_key: 'k' });
      },
      [prefix, session],
    );
    const later = await open(context, address('/b', tag(tenant, 'data-page-views="false"')));
    await later.evaluate(() => window.nimbus.track('now'));
    await flush(later);
    const events = await arrived(tenant, 2);
    const now = events.find((e) => e.name === 'now');
    assert.deepEqual([now?.user_id, now?.anonymous_id, now?.props['session_id']], ['ada', 'device', 'old']);
    assert.ok(events.some((e) => e.name === 'left'));
  }));

test('what was tracked as the page was left arrives, once', () =>
  inContext(async (context) => {
    const tenant = await newTenant(nimbus.url, [origin]);
    const page = await open(context, address('/a', tag(tenant)));
    await page.evaluate(() => {
      for (let n = 0; n < 20; n++) void window.nimbus.track('leaving', { n, text: 'x'.repeat(500) });
    });
    await page.goto('about:blank');
    // Nothing of the site is left open: it was sent while the page went.
    await arrived(tenant, 21);
    // The next page finds nothing to send again, or what it sends again is known.
    await open(context, address('/b', tag(tenant))).then(flush);
    assert.equal((await stored(tenant)).length, 22);
  }));

test('what was tracked offline arrives with the next visit, once, though two tabs send it', () =>
  inContext(async (context) => {
    const tenant = await newTenant(nimbus.url, [origin]);
    const page = await open(context, address('/a', tag(tenant)));
    await flush(page);
    await context.setOffline(true);
    await page.evaluate(() => {
      for (let n = 0; n < 10; n++) void window.nimbus.track('offline', { n });
      // A key of the application's own is not alone what an event is.
      for (const name of ['started', 'paid']) void window.nimbus.track(name, {}, { idempotencyKey: 'order-42' });
    });
    assert.equal(await page.evaluate(() => Object.keys(localStorage).filter((k) => k.includes('.e.')).length), 12);
    await page.close();
    await context.setOffline(false);
    const tabs = await Promise.all(['/b', '/c'].map((path) => open(context, address(path, tag(tenant)))));
    await Promise.all(tabs.map(flush));
    const events = await stored(tenant);
    assert.deepEqual(pick(events.filter((e) => e.name === 'offline'), 'n').flat().sort(), Array.from({ length: 10 }, (_, n) => n));
    assert.deepEqual(events.filter((e) => e.name !== 'offline').map((e) => e.name).sort(), ['$pageview', '$pageview', '$pageview', 'paid', 'started']);
    assert.equal(events.length, 15);
    assert.equal(await tabs[0]?.evaluate(() => Object.keys(localStorage).filter((k) => k.includes('.e.')).length), 0, 'nothing waits any longer');
  }));

test('a page that comes back online sends what waited, though the server was killed meanwhile', { timeout: 180_000 }, () =>
  inContext(async (context) => {
    const tenant = await newTenant(nimbus.url, [origin]);
    const page = await open(context, address('/a', tag(tenant)));
    await page.evaluate(() => {
      let n = 0;
      const ticking = setInterval(() => {
        for (let k = 0; k < 10; k++) void window.nimbus.track('tick', { n: n++ });
        if (n >= 600) clearInterval(ticking);
      }, 5);
    });
    await eventually(() => page.evaluate(() => window.nimbus.stats().delivered), (n) => n > 50, 'the first deliveries');
    await nimbus.stop('SIGKILL');
    await nimbus.start();
    await eventually(() => page.evaluate(() => window.nimbus.stats()), (s) => s.delivered === 601 && s.waiting === 0, 'every delivery');
    const ticks = (await stored(tenant)).filter((e) => e.name === 'tick');
    assert.deepEqual(pick(ticks, 'n').flat().sort((a, b) => Number(a) - Number(b)), Array.from({ length: 600 }, (_, n) => n));
  }));

test('an event too large for a request that outlives its page is refused by the server, and no others wait for it', { timeout: 120_000 }, () =>
  inContext(async (context) => {
    const tenant = await newTenant(nimbus.url, [origin]);
    const page = await open(context, address('/a', tag(tenant)));
    await page.evaluate(() => {
      const noise = Array.from({ length: 20_000 }, () => Math.random()); // cannot be cut, nor compressed below 64 KiB
      void window.nimbus.track('huge', { noise });
      return window.nimbus.track('after');
    });
    await flush(page);
    assert.deepEqual((await stored(tenant)).map((e) => e.name).sort(), ['$pageview', 'after']);
    assert.equal(await page.evaluate(() => Object.keys(localStorage).filter((k) => k.includes('.e.')).length), 0);
  }));

/** The requests of a page to the server, but for the script. */
function watched(context: BrowserContext): string[] {
  const seen: string[] = [];
  context.on('request', (request) => {
    if (request.url().startsWith(nimbus.url) && !request.url().endsWith('.js')) seen.push(`${request.method()} ${request.url()}`);
  });
  return seen;
}

for (const [signal, script] of [
  ['Global Privacy Control', "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => true })"],
  ['Do Not Track', "Object.defineProperty(Navigator.prototype, 'doNotTrack', { get: () => '1' })"],
]) {
  test(`nobody is tracked, and nothing is stored, against ${signal}`, () =>
    inContext(async (context) => {
      const tenant = await newTenant(nimbus.url, [origin]);
      await context.addInitScript(script ?? '');
      const seen = watched(context);
      const page = await open(context, address('/a', tag(tenant)));
      await page.evaluate(async () => {
        await window.nimbus.track('e');
        window.nimbus.identify('user_1');
        await window.nimbus.flush();
      });
      await page.goto(address('/b', ''));
      assert.deepEqual(seen, []);
      assert.deepEqual(await page.evaluate(() => [Object.keys(localStorage), document.cookie]), [[], '']);
      assert.deepEqual(await stored(tenant), []);
    }));
}

test('without cookies nothing is stored, and events arrive', () =>
  inContext(async (context) => {
    const tenant = await newTenant(nimbus.url, [origin]);
    const page = await open(context, address('/a', tag(tenant, 'data-cookieless')));
    await page.evaluate(() => {
      window.nimbus.identify('user_1');
      return window.nimbus.track('e');
    });
    const left = () => page.evaluate(() => [Object.keys(localStorage), document.cookie]);
    assert.deepEqual(await left(), [[], '']);
    await flush(page);
    assert.deepEqual(await left(), [[], '']);
    // Two of them may be of one millisecond, and come in any order.
    const names = (await stored(tenant)).map((e) => `${e.name} ${e.user_id ?? ''}`);
    assert.deepEqual(names.sort(), ['$pageview ', 'e user_1']);
    assert.deepEqual((await context.storageState()).cookies, []);
  }));

test('one who opts out is forgotten and tracked no more, until they opt in', () =>
  inContext(async (context) => {
    const tenant = await newTenant(nimbus.url, [origin]);
    const page = await open(context, address('/a', tag(tenant, 'data-page-views="false"')));
    await page.evaluate(() => {
      void window.nimbus.track('waiting');
      window.nimbus.optOut();
      void window.nimbus.track('unwanted');
    });
    await flush(page);
    assert.deepEqual(await page.evaluate(() => Object.values(localStorage)), ['1'], 'the wish itself is all that is kept');
    await page.reload();
    await page.waitForFunction(() => 'stats' in window.nimbus);
    await page.evaluate(() => {
      void window.nimbus.track('still unwanted');
      window.nimbus.optIn();
      void window.nimbus.track('wanted');
    });
    await flush(page);
    assert.deepEqual((await stored(tenant)).map((e) => e.name), ['wanted']);
  }));

test('who opts out in one tab is tracked in none, and what another had under way is given up', () =>
  inContext(async (context) => {
    const tenant = await newTenant(nimbus.url, [origin]);
    const head = tag(tenant, 'data-page-views="false"');
    const [a, b] = [await open(context, address('/a', head)), await open(context, address('/b', head))];
    await context.setOffline(true);
    await a.evaluate(() => {
      void window.nimbus.track('waiting');
      void window.nimbus.flush();
    });
    await a.waitForFunction(() => window.nimbus.stats().retries > 0);
    await b.evaluate(() => window.nimbus.optOut());
    await a.waitForFunction(() => window.nimbus.stats().waiting === 0);
    await a.waitForFunction(() => Object.values(localStorage).join() === '1');
    await context.setOffline(false);
    await a.evaluate(() => window.nimbus.track('unwanted'));
    await b.evaluate(() => window.nimbus.optIn());
    await a.waitForFunction(() => Object.keys(localStorage).length === 0);
    await a.evaluate(() => window.nimbus.track('wanted'));
    await flush(a);
    assert.deepEqual((await stored(tenant)).map((e) => e.name), ['wanted']);
  }));

test('a page that the browser had kept gives up what waits when it is shown again and the person has opted out', () =>
  inContext(async (context) => {
    const tenant = await newTenant(nimbus.url, [origin]);
    const page = await open(context, address('/a', tag(tenant, 'data-page-views="false"')));
    await context.setOffline(true);
    const waiting = await page.evaluate((out) => {
      void window.nimbus.track('waiting');
      localStorage[out] = '1'; // by another page: this one is told nothing
      window.dispatchEvent(new Event('pageshow'));
      return window.nimbus.stats().waiting;
    }, `nimbus.${tenant.projectId}.out`);
    assert.equal(waiting, 0);
  }));

test('a person that one tab forgets is forgotten in every tab', () =>
  inContext(async (context) => {
    const tenant = await newTenant(nimbus.url, [origin]);
    const head = tag(tenant, 'data-page-views="false"');
    const [a, b] = [await open(context, address('/a', head)), await open(context, address('/b', head))];
    await a.evaluate(() => window.nimbus.identify('user_1'));
    await b.waitForFunction(() => Object.values(localStorage).includes('user_1'));
    await b.evaluate(() => {
      window.nimbus.reset();
      return window.nimbus.track('next person');
    });
    // What one tab writes another reads somewhat later.
    const session = await b.evaluate(() => Object.entries(localStorage).find(([name]) => name.endsWith('.session'))?.[1]);
    await a.waitForFunction((value) => Object.values(localStorage).includes(value ?? ''), session);
    await a.evaluate(() => window.nimbus.track('next person'));
    await Promise.all([flush(a), flush(b)]);
    const next = (await stored(tenant)).filter((e) => e.name === 'next person');
    assert.deepEqual(next.map((e) => e.user_id), [undefined, undefined]);
    assert.equal(next[0]?.anonymous_id, next[1]?.anonymous_id);
  }));

test('an id that is not there is no other person, and an empty one is none', () =>
  inContext(async (context) => {
    const tenant = await newTenant(nimbus.url, [origin]);
    const page = await open(context, address('/a', tag(tenant, 'data-page-views="false"')));
    await page.evaluate(() => {
      window.nimbus.identify('user_1');
      void window.nimbus.track('known', {}, { userId: undefined, anonymousId: undefined });
      void window.nimbus.track('another', {}, { userId: 'user_2' });
      window.nimbus.identify('');
      void window.nimbus.track('nobody');
    });
    await flush(page);
    const events = await stored(tenant);
    assert.deepEqual(events.map((e) => `${e.name} ${e.user_id ?? ''}`).sort(), ['another user_2', 'known user_1', 'nobody ']);
    assert.equal(new Set(events.map((e) => e.anonymous_id)).size, 1);
  }));

test('a call that fails, and that nobody awaits, is no error of the page', () =>
  inContext(async (context) => {
    const tenant = await newTenant(nimbus.url, [origin]);
    const page = await open(context, address('/a', tag(tenant, 'crossorigin'))); // else its errors are none of the page's
    const failed = await page.evaluate(async () => {
      const unhandled: string[] = [];
      await new Promise<void>((resolve) => {
        window.addEventListener('unhandledrejection', ({ reason }) => {
          unhandled.push(String(reason));
          if (String(reason) === 'Error: last') resolve();
        });
        void window.nimbus.track('loop', { window });
        window.nimbus.identify('user_1', { window });
        setTimeout(() => Promise.reject(new Error('last'))); // behind those of this turn
      });
      return [unhandled, window.nimbus.stats().refused];
    });
    assert.deepEqual(failed, [['Error: last'], 2]);
  }));

test('the script loads with its integrity from its own path, and a key is good for its origins only', () =>
  inContext(async (context) => {
    const { headers } = await fetch(`${nimbus.url}/sdk.js`);
    const [path, integrity] = [headers.get('Content-Location') ?? '', headers.get('Nimbus-Integrity') ?? ''];
    const tenant = await newTenant(nimbus.url, ['https://elsewhere.example.com']);
    const pinned = tag(tenant).replace('/sdk.js"', `${path}" crossorigin integrity="${integrity}"`);
    const page = await context.newPage();
    const warnings: string[] = [];
    page.on('console', (message) => void warnings.push(message.text()));
    await page.goto(address('/a', pinned));
    await page.waitForFunction(() => 'stats' in window.nimbus);
    await flush(page);
    assert.deepEqual(await stored(tenant), []);
    await eventually(() => warnings, (all) => all.some((text) => text.includes('1 events dropped: origin_not_allowed')), 'the warning');
  }));

for (const name of Object.keys({ ...behaviours, ...ofPeople })) {
  test(`in the browser: ${name}`, { timeout: 120_000 }, async () => {
    behaving ??= (async () => {
      const page = await browser.newPage();
      await page.goto(origin);
      await page.addScriptTag({ content: bundle });
      return page;
    })();
    const page = await behaving;
    await page.evaluate(([what, server]) => window.behave(what ?? '', server ?? ''), [name, misbehaving.url]);
  });
}
let behaving: Promise<Page> | undefined;
