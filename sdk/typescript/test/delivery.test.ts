// The tracker in Node and the real server.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createClient, createTracker, ingestEvents, live, NimbusError, signRequests, type LiveItem } from '../src/index.js';
import { Nimbus } from './support/processes.js';
import { eventually, newTenant, stored } from './support/tenant.js';

const nimbus = new Nimbus();
before(() => nimbus.start());
after(() => nimbus.remove());

test('every tracked event arrives exactly once though the server is killed under way', { timeout: 180_000 }, async () => {
  const { projectId, keyId, secret, ...tenant } = await newTenant(nimbus.url);
  const lost: string[] = [];
  const tracker = createTracker({
    baseUrl: nimbus.url,
    projectId,
    keyId,
    secret,
    maxBatchEvents: 20,
    flushIntervalMs: 5,
    retryBaseMs: 20,
    retryMaxMs: 200,
    onDrop: (event, reason) => lost.push(`${event.name}: ${reason.code}`),
    onReject: (event, errors) => lost.push(`${event.name}: ${errors[0]?.detail}`),
  });
  const total = 3000;
  let tracked = 0;
  const track = (): void => void tracker.track('tick', { n: tracked++ }, { userId: `user_${tracked % 10}` });
  const ticking = setInterval(() => {
    for (let k = 0; k < 20 && tracked < total; k++) track();
  });
  for (const enough of [200, 1200]) {
    await eventually(() => tracker.stats().delivered, (n) => n >= enough, `${enough} deliveries`);
    await nimbus.stop('SIGKILL');
    await eventually(() => tracker.stats().retries, (n) => n > 0, 'a retry');
    await nimbus.start();
  }
  await eventually(() => tracked, (n) => n === total, 'the last event');
  clearInterval(ticking);
  assert.deepEqual(await tracker.close({ timeoutMs: 60_000 }), []);
  assert.deepEqual(lost, []);
  const numbers = (await stored({ ...tenant, projectId, keyId, secret })).map((e) => Number(e.props['n']));
  assert.deepEqual(numbers.sort((a, b) => a - b), Array.from({ length: total }, (_, n) => n));
});

test('what the server refuses comes back with the event and the reason, and its neighbours arrive', async () => {
  const tenant = await newTenant(nimbus.url);
  const rejected: unknown[] = [];
  const tracker = createTracker({ baseUrl: nimbus.url, ...tenant, writeKey: undefined, onReject: (event, errors) => rejected.push([event.name, errors.map((e) => e.pointer)]) });
  void tracker.track('good');
  // Only the server knows the calendar this well.
  void tracker.track('bad', {}, { ts: '2026-02-30T10:00:00Z' });
  await tracker.close({ timeoutMs: 60_000 });
  assert.deepEqual(rejected, [['bad', ['/events/1/ts']]]);
  assert.deepEqual((await stored(tenant)).map((e) => e.name), ['good']);
});

test('a wrong secret is no loss without a word', async () => {
  const tenant = await newTenant(nimbus.url);
  const dropped: string[] = [];
  const tracker = createTracker({ baseUrl: nimbus.url, projectId: tenant.projectId, keyId: tenant.keyId, secret: 'ns_wrong', onDrop: (_event, reason) => dropped.push(reason.code) });
  void tracker.track('e');
  await tracker.close({ timeoutMs: 60_000 });
  assert.deepEqual([dropped, tracker.stats().dropped], [['invalid_signature'], 1]);
});

test('the generated client with signed requests, and its errors with their fields', async () => {
  const tenant = await newTenant(nimbus.url);
  const client = createClient({ baseUrl: nimbus.url });
  client.interceptors.request.use(signRequests(tenant));
  const { data } = await ingestEvents({ client, body: { project_id: tenant.projectId, events: [{ name: 'n' }] } });
  assert.equal(data.accepted, 1);
  await assert.rejects(ingestEvents({ client, body: { project_id: 'x', events: [{ name: 'n' }] } }), (e) => e instanceof NimbusError && e.status === 422 && 'project_id' in e.byField());
});

test('the live stream goes on where it was when the server comes back, and ends with its reader', { timeout: 180_000 }, async () => {
  const tenant = await newTenant(nimbus.url);
  const tracker = createTracker({ baseUrl: nimbus.url, ...tenant, writeKey: undefined, flushIntervalMs: 1, retryBaseMs: 20 });
  const seen: LiveItem[] = [];
  const states: string[] = [];
  const reader = new AbortController();
  const reading = (async () => {
    const { client, projectId } = tenant;
    for await (const item of live({ client, projectId, names: ['wanted'], signal: reader.signal, retryBaseMs: 20, onState: (state) => states.push(state) })) seen.push(item);
  })();
  const events = () => seen.filter((item) => item.type === 'event').map((item) => item.event.props['n']);
  const open = (times: number) => eventually(() => states.filter((s) => s === 'open').length, (n) => n >= times, 'a connection');

  await open(1);
  void tracker.track('unwanted');
  for (let n = 0; n < 3; n++) void tracker.track('wanted', { n });
  await eventually(events, (all) => all.length === 3, 'the first events');
  await nimbus.stop();
  await nimbus.start();
  await open(2);
  for (let n = 3; n < 6; n++) void tracker.track('wanted', { n });
  await eventually(events, (all) => all.length === 6, 'the later events');
  assert.deepEqual(events().sort(), [0, 1, 2, 3, 4, 5]); // each once; those sent together in any order
  assert.deepEqual([...new Set(states)], ['connecting', 'open', 'waiting']);
  reader.abort();
  await reading;
  await tracker.close({ timeoutMs: 60_000 });
});

test('a live stream of what is not there is an error, not a retry', async () => {
  const { client } = await newTenant(nimbus.url);
  await assert.rejects(live({ client, projectId: crypto.randomUUID() }).next(), (e) => e instanceof NimbusError && e.status === 404);
});
