// When a live stream tries again, without a server.
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { afterEach, mock, test } from 'node:test';
import { createClient, live } from '../src/index.js';
import { eventually } from './support/tenant.js';

const browser = globalThis as { document?: EventTarget; addEventListener?: unknown; removeEventListener?: unknown };

afterEach(() => {
  mock.restoreAll();
  delete browser.document;
  delete browser.addEventListener;
  delete browser.removeEventListener;
});

const turns = async (): Promise<void> => {
  for (let k = 0; k < 10; k++) await new Promise(setImmediate);
};

test('a stream that waits tries again as soon as the browser is online or the page is looked at', async () => {
  mock.method(Math, 'random', () => 1); // every wait is as long as it can be
  const window = new EventTarget();
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  Object.assign(browser, { document, addEventListener: window.addEventListener.bind(window), removeEventListener: window.removeEventListener.bind(window) });
  let status: number | undefined;
  let attempts = 0;
  const fetch = async (): Promise<Response> => {
    attempts++;
    if (status === undefined) throw new TypeError('there is no network');
    return Response.json({ code: 'too_many_streams' }, { status, headers: { 'Content-Type': 'application/problem+json', 'Retry-After': '3600' } });
  };
  const states: string[] = [];
  const reader = new AbortController();
  const client = createClient({ baseUrl: 'http://nimbus.invalid', fetch });
  const reading = live({ client, projectId: crypto.randomUUID(), signal: reader.signal, retryBaseMs: 30_000, onState: (state) => states.push(state) }).next();
  const waits = (times: number) => eventually(() => states.filter((s) => s === 'waiting').length, (n) => n === times, 'a wait');
  const show = (visibilityState: string): void => {
    document.visibilityState = visibilityState;
    document.dispatchEvent(new Event('visibilitychange'));
  };

  await waits(1);
  await turns();
  window.dispatchEvent(new Event('online'));
  await waits(2);
  await turns();
  show('hidden');
  await turns();
  assert.equal(attempts, 2);
  status = 503;
  show('visible');
  await waits(3);
  await turns();
  // The server has said when: being online again is no reason to ask before.
  window.dispatchEvent(new Event('online'));
  show('visible');
  await turns();
  assert.equal(attempts, 3);
  reader.abort();
  assert.equal((await reading).done, true);
  assert.deepEqual([...getEventListeners(window, 'online'), ...getEventListeners(document, 'visibilitychange')], []);
});

const ticketed = () => createClient({ baseUrl: 'http://nimbus.invalid', fetch: () => Promise.resolve(Response.json({ ticket: 't', expires_in: 60 }, { status: 201 })) });

test('a platform without a WebSocket is told so, and nothing is tried again', async () => {
  await assert.rejects(live({ client: ticketed(), projectId: crypto.randomUUID(), WebSocket: null as never }).next(), TypeError);
});

test('a stream goes on behind what its reader has taken, though a socket delivers more while it closes', async () => {
  const cursors: (string | null)[] = [];
  class Socket extends EventTarget {
    constructor(url: URL) {
      super();
      cursors.push(url.searchParams.get('cursor'));
      if (cursors.length === 1) setImmediate(() => this.say(1, 2, 3)); // of which two find room
    }
    say(...numbers: number[]): void {
      for (const n of numbers) this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify({ type: 'event', cursor: `c${n}`, event: { name: `e${n}` } }) }));
    }
    close(): void {
      setImmediate(() => {
        if (cursors.length === 1) this.say(4);
        this.dispatchEvent(new Event('close'));
      });
    }
  }
  const reader = new AbortController();
  const taken: string[] = [];
  const items = live({ client: ticketed(), projectId: crypto.randomUUID(), signal: reader.signal, maxWaiting: 2, retryBaseMs: 1, WebSocket: Socket as never });
  const reading = (async () => {
    for await (const item of items) if (item.type === 'event') taken.push(item.event.name);
  })();
  await eventually(() => cursors.length, (n) => n === 2, 'a second connection');
  assert.deepEqual([taken, cursors], [['e1', 'e2'], [null, 'c2']]);
  reader.abort();
  await reading;
});
