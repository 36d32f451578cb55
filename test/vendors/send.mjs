// Sends one of everything with a real SDK of another vendor: node send.mjs <sdk> <url> <write key> <secret>.
// It ends with 0 when every callback reported success. internal/app compares what was stored.
import { createRequire } from 'node:module';

const [, , sdk, url, key, secret] = process.argv;
const require = createRequire(import.meta.url);
const at = new Date('2026-01-15T10:30:00.123Z');
const props = { total: 42.5, s: 'žluťoučký 🐎', list: [1, 'two', { three: 3 }], deep: { a: { b: 'c' } } };
const host = new URL(url);

/** The promise of a call that takes a callback whose first argument is an error. */
const called = (call) => new Promise((resolve, reject) => call((err) => (err ? reject(err) : resolve())));

const senders = {
  async 'segment-node'() {
    const { Analytics } = await import('@segment/analytics-node');
    const analytics = new Analytics({ writeKey: key, host: url, flushAt: 3, flushInterval: 50 });
    analytics.on('error', (err) => { throw err; });
    await Promise.all([
      called((done) => analytics.track({ event: 'Order Completed', userId: 'u-1', properties: props, timestamp: at, messageId: 'm-1' }, done)),
      called((done) => analytics.track({ event: 'Seen', anonymousId: 'anon-1' }, done)),
      called((done) => analytics.identify({ userId: 'u-1', anonymousId: 'anon-1', traits: { plan: 'pro' } }, done)),
      called((done) => analytics.page({ userId: 'u-1', name: 'Home', properties: { url: 'https://example.com/' } }, done)),
      called((done) => analytics.screen({ userId: 'u-1', name: 'Main' }, done)),
      called((done) => analytics.group({ userId: 'u-1', groupId: 'acme', traits: { seats: 5 } }, done)),
      called((done) => analytics.alias({ userId: 'u-1', previousId: 'anon-2' }, done)),
    ]);
    await analytics.closeAndFlush();
  },
  async 'rudder-node'() {
    const module = require('@rudderstack/rudder-sdk-node');
    const Analytics = module.default ?? module;
    const client = new Analytics(key, { dataPlaneUrl: url, flushAt: 1, flushInterval: 50, logLevel: 'error' });
    for (const call of [
      (done) => client.track({ event: 'Order Completed', userId: 'u-1', properties: props, originalTimestamp: at, messageId: 'm-1' }, done),
      (done) => client.track({ event: 'Seen', anonymousId: 'anon-1' }, done),
      (done) => client.identify({ userId: 'u-1', anonymousId: 'anon-1', traits: { plan: 'pro' } }, done),
      (done) => client.page({ userId: 'u-1', name: 'Home' }, done),
      (done) => client.group({ userId: 'u-1', groupId: 'acme', traits: { seats: 5 } }, done),
    ]) {
      await called(call);
    }
    await client.flush();
  },
  async 'mixpanel-node'() {
    const mixpanel = require('mixpanel').init(key, { host: host.host, protocol: 'http', key: secret });
    const time = at.getTime();
    await called((done) => mixpanel.track('Order Completed', { distinct_id: 'u-1', ...props, time, $insert_id: 'i-1' }, done));
    await called((done) => mixpanel.track('Order Completed', { distinct_id: 'u-1', ...props, time, $insert_id: 'i-1' }, done));
    await called((done) => mixpanel.track_batch([{ event: 'B0', properties: { distinct_id: 'u-1', time, $insert_id: 'i-2' } }, { event: 'B1', properties: { distinct_id: 'u-1', time, $insert_id: 'i-3' } }], done));
    await called((done) => mixpanel.import('Imported', at, { distinct_id: 'u-1', $insert_id: 'i-4' }, done));
    await called((done) => mixpanel.import_batch([{ event: 'I0', properties: { distinct_id: 'u-1', time, $insert_id: 'i-5' } }], done));
    await called((done) => mixpanel.people.set('u-1', { plan: 'pro' }, done));
    await called((done) => mixpanel.people.increment('u-1', 'logins', 2, done));
    await called((done) => mixpanel.groups.set('company', 'acme', { name: 'Acme' }, done));
    await called((done) => mixpanel.alias('u-1', 'anon-1', done));
  },
  async 'posthog-node'() { await posthog({}); },
  async 'posthog-node-v1'() { await posthog({ captureMode: 'v1' }); },
  async 'umami-node'() {
    const module = require('@umami/node');
    const Umami = (module.default ?? module).Umami ?? module.Umami;
    const client = new Umami({ websiteId: key, hostUrl: url });
    for (const answer of [
      await client.track({ url: '/home', title: 'Home', hostname: 'example.com' }),
      await client.track('Order Completed', { total: 42.5 }),
      await client.identify({ id: 'u-1', plan: 'pro' }),
    ]) {
      if (answer && answer.ok === false) {
        throw new Error(`umami: ${answer.status}`);
      }
    }
  },
};

async function posthog(options) {
  const { PostHog } = await import('posthog-node');
  const client = new PostHog(key, { host: url, flushAt: 3, flushInterval: 50, ...options });
  client.on('error', (err) => { throw err; });
  client.capture({ distinctId: 'u-1', event: 'Order Completed', properties: props, timestamp: at, uuid: '0190a1b2-0000-7000-8000-000000000001' });
  client.capture({ distinctId: 'u-1', event: 'Grouped', groups: { company: 'acme' } });
  client.capture({ distinctId: '0190a1b2-0000-7000-8000-0000000000aa', event: 'Seen', properties: { $process_person_profile: false } });
  client.identify({ distinctId: 'u-1', properties: { plan: 'pro' } });
  client.alias({ distinctId: 'u-1', alias: 'anon-1' });
  client.groupIdentify({ groupType: 'company', groupKey: 'acme', properties: { name: 'Acme' } });
  await client.shutdown();
}

await senders[sdk]();
