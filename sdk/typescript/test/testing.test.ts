import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTracker } from '../src/index.js';
import { manualClock, recordingTransport } from '../src/testing.js';

const common = { baseUrl: 'http://nimbus.example', projectId: 'p', writeKey: 'nw' };

test('a transport records what was accepted, once, and fails as its script says', async () => {
  const transport = recordingTransport([503, 'network_error', 422]);
  const dropped: string[] = [];
  const tracker = createTracker({ ...common, fetch: transport.fetch, retryBaseMs: 1, onDrop: (kept) => dropped.push(kept.name ?? kept.op) });
  void tracker.track('first', { text: 'x'.repeat(2000) });
  await tracker.flush();
  void tracker.track('second');
  await tracker.flush();
  assert.deepEqual([dropped, transport.events.map((e) => e.name), transport.requests.length], [['first'], ['second'], 4]);
  assert.deepEqual([transport.requests[0]?.headers.get('X-Write-Key'), transport.requests[0]?.url], ['nw', 'http://nimbus.example/v1/events']);
});

test('a key makes events of one time, name and person one', async () => {
  const transport = recordingTransport();
  const tracker = createTracker({ ...common, fetch: transport.fetch });
  const ts = '2026-01-15T10:30:00Z';
  for (const [name, userId] of [['started', 'a'], ['paid', 'a'], ['paid', 'b'], ['paid', 'b']] as const) void tracker.track(name, {}, { userId, ts, idempotencyKey: 'order-42' });
  await tracker.flush();
  assert.deepEqual(transport.events.map((e) => `${e.name} ${e.user_id}`), ['started a', 'paid a', 'paid b']);
});

test('changes of profiles are recorded beside events', async () => {
  const transport = recordingTransport();
  const tracker = createTracker({ ...common, fetch: transport.fetch, maxAttempts: 1 });
  void tracker.track('paid');
  for (const ts of ['2026-01-15T10:30:00Z', '2026-01-15T10:31:00Z']) void tracker.addPeople({ orders: 1 }, { userId: 'ada', ts, idempotencyKey: 'order-42' });
  void tracker.group('company', 'acme');
  await tracker.flush();
  assert.deepEqual(transport.events.map((e) => e.name), ['paid']);
  assert.deepEqual(transport.operations.map((o) => `${o.op} ${o.user_id ?? o.group?.key}`), ['add ada', 'set acme']);
  assert.deepEqual([tracker.stats().delivered, transport.requests.map((r) => r.body.events.length)], [4, [1, 0]]);
});

test('waits double up to their limit, with jitter, and are never shorter than the server asks', async () => {
  const clock = manualClock();
  const answers = [503, 503, 503, 503, 200];
  const waits: number[] = [];
  const tracker = createTracker({
    ...common,
    clock,
    random: () => 0.5,
    retryBaseMs: 1000,
    retryMaxMs: 3000,
    requestTimeoutMs: 3_600_000,
    fetch: async () => {
      const status = answers.shift() ?? 200;
      if (status === 200) return Response.json({ accepted: 1, duplicates: 0, rejected: 0, errors: [] });
      return Response.json({}, { status, headers: answers.length === 1 ? { 'Retry-After': '60' } : {} });
    },
  });
  void tracker.track('e');
  const flushed = tracker.flush();
  while (tracker.stats().delivered === 0) {
    await new Promise((resolve) => setImmediate(resolve));
    if (tracker.stats().retries === waits.length) continue;
    waits.push(clock.pending()[0] ?? 0);
    clock.advance(waits.at(-1) ?? 0);
  }
  await flushed;
  assert.deepEqual(waits, [500, 1000, 1500, 60_000]);
  assert.deepEqual(clock.pending(), [], 'no timer is left');
});

test('a request without an answer is given up after its time, and made again', async () => {
  const clock = manualClock();
  let requests = 0;
  const tracker = createTracker({
    ...common,
    clock,
    random: () => 0,
    fetch: (_url, init) => {
      if (++requests > 1) return Promise.resolve(Response.json({ accepted: 1, duplicates: 0, rejected: 0, errors: [] }));
      return new Promise((_resolve, reject) => init?.signal?.addEventListener('abort', () => reject(new Error('aborted'))));
    },
  });
  void tracker.track('e');
  const flushed = tracker.flush();
  while (tracker.stats().delivered === 0) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(30_000);
  }
  await flushed;
  assert.equal(requests, 2);
});

test('a signal ends the tracker, and says what was left', async () => {
  const end = new AbortController();
  const left: string[] = [];
  const tracker = createTracker({ ...common, signal: end.signal, fetch: recordingTransport().fetch, onDrop: (event, { code }) => left.push(`${event.name} ${code}`) });
  void tracker.track('e');
  end.abort();
  await tracker.close();
  assert.ok(left.length + tracker.stats().delivered === 1);
  await assert.rejects(tracker.track('late'), { code: 'closed' });
});

test('a callback that throws harms nothing, and a tracker needs one kind of credentials', async () => {
  const warnings: unknown[] = [];
  const tracker = createTracker({
    ...common,
    fetch: recordingTransport([400]).fetch,
    logger: { debug: () => undefined, warn: (text: string) => warnings.push(text) },
    onDrop: () => {
      throw new Error('a fault of the application');
    },
  });
  void tracker.track('lost');
  await tracker.flush();
  void tracker.track('next');
  await tracker.flush();
  assert.deepEqual([tracker.stats().dropped, tracker.stats().delivered], [1, 1]);
  assert.ok(warnings.includes('nimbus: a callback failed'));
  assert.throws(() => createTracker({ ...common, secret: 'ns' }), TypeError);
  assert.throws(() => createTracker({ baseUrl: 'http://x', projectId: 'p' }), TypeError);
});

test('a limit with which nothing could be sent is refused, and one without end is none', async (t) => {
  for (const wrong of [{ maxBatchEvents: Number.NaN }, { maxBatchEvents: 0 }, { maxQueueEvents: -1 }, { maxAttempts: 0 }, { retryBaseMs: Number.NaN }]) {
    assert.throws(() => createTracker({ ...common, ...wrong }), TypeError);
  }
  const waits: number[] = [];
  t.mock.method(globalThis, 'setTimeout', (_run: () => void, ms: number) => waits.push(ms));
  const tracker = createTracker({ ...common, fetch: recordingTransport().fetch, maxAttempts: Infinity, gzipAboveBytes: Infinity, requestTimeoutMs: Infinity, flushIntervalMs: undefined });
  void tracker.track('e');
  assert.deepEqual(await tracker.close({ timeoutMs: Infinity }), []);
  // More than 31 bits of milliseconds is over at once.
  assert.deepEqual([waits[0], ...new Set(waits.slice(1))], [1000, 2 ** 31 - 1]);
});
