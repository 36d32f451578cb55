// What testvectors/behaviours.json asks of every SDK, once, for Node and for the browser: it uses nothing but the web's
// own interfaces, and runs in either against the misbehaving server of test/sdktest.
import type { Calls, DropReason, Event, EventError, Kept, ProfileOperation, Queue, TrackError, Tracker, Visitor } from '../../src/index.js';
import { manualClock } from '../../src/testing.js';
import type { CommonOptions } from '../../src/tracker/types.js';

/** Of testvectors: ids that name nobody and ids that do, and operations with what is wrong with each. */
export interface Vectors {
  junk: string[];
  fine: string[];
  operations: { name: string; operations: ProfileOperation[]; verdicts: { pointer: string; code: string }[][] }[];
}

/** The SDK under test. */
export interface Subject {
  /** The tracker as the platform has it, with a write key in browsers. */
  create(options: CommonOptions & { baseUrl: string; projectId: string }): Calls & Queue;
  /** The tracker with the credentials given. */
  createWith(options: CommonOptions & { baseUrl: string; projectId: string; keyId?: string; secret?: string; writeKey?: string }): Tracker;
  /** A visitor whom the platform keeps: the same one for a project, when it is made again. */
  visitor(options: CommonOptions & { baseUrl: string; projectId: string }): Visitor & Queue;
  vectors: Vectors;
  /** Whether bad events are refused by the call; else the server refuses them. */
  checks: boolean;
}

interface Arrived {
  received_at: string;
  path: string;
  headers: Record<string, string>;
  signature: string;
  body_bytes: number;
  text: string;
  project_id: string;
  events: Event[];
  operations: ProfileOperation[];
  status: number;
}

interface Report {
  requests: Arrived[];
  stored: string[];
  waiting: number;
}

type Reply = { status?: number; headers?: Record<string, string>; body?: unknown; delay_ms?: number; hold?: boolean; drop?: 'before' | 'after'; times?: number };
export type Script = { clock_ahead_seconds?: number; max_body_bytes?: number; max_events?: number; replies?: Reply[] };

/** One test: a session of the server, and what the tracker reported. */
export class Bench {
  readonly rejected: [Kept, EventError[]][] = [];
  readonly dropped: [Kept, DropReason][] = [];
  readonly projectId = crypto.randomUUID();

  private constructor(
    readonly url: string,
    readonly subject: Subject,
  ) {}

  static async open(subject: Subject, server: string, script: Script = {}): Promise<Bench> {
    const response = await fetch(`${server}/__script`, { method: 'POST', body: JSON.stringify(script) });
    const { url } = (await response.json()) as { url: string };
    return new Bench(url, subject);
  }

  private common(options: CommonOptions) {
    return {
      baseUrl: this.url,
      projectId: this.projectId,
      flushIntervalMs: 60_000,
      retryBaseMs: 1,
      onReject: (event: Kept, errors: EventError[]) => this.rejected.push([event, errors]),
      onDrop: (event: Kept, reason: DropReason) => this.dropped.push([event, reason]),
      ...options,
    };
  }

  tracker(options: CommonOptions = {}): Calls & Queue {
    return this.subject.create(this.common(options));
  }

  trackerWith(credentials: { keyId?: string; secret?: string; writeKey?: string }, options: CommonOptions = {}): Tracker {
    return this.subject.createWith({ ...this.common(options), ...credentials });
  }

  visitor(options: CommonOptions = {}): Visitor & Queue {
    return this.subject.visitor(this.common(options));
  }

  /** A tracker that many people use, as programs on servers have it. */
  server(options: CommonOptions = {}): Tracker {
    return this.trackerWith({ writeKey: 'nw_test' }, options);
  }

  signed(options: CommonOptions = {}): Tracker {
    return this.trackerWith({ keyId: 'nk_test', secret: 'ns_test' }, options);
  }

  async report(query = ''): Promise<Report> {
    const response = await fetch(`${this.url}/__requests${query}`);
    const report = (await response.json()) as Report;
    ok(response.status === 200, `what was waited for did not come: ${JSON.stringify(report).slice(0, 500)}`);
    return report;
  }

  /** The names of the events of each request. */
  async names(): Promise<string[][]> {
    return (await this.report()).requests.map((r) => r.events.map((e) => e.name));
  }

  async release(): Promise<void> {
    await fetch(`${this.url}/__release`, { method: 'POST' });
  }

  /** Tracks a, b, c, … */
  fill(tracker: Calls, n: number, props?: Record<string, unknown>): void {
    for (let k = 0; k < n; k++) void tracker.track(nameOf(k), props);
  }
}

const nameOf = (k: number): string => `e${k}`;

export function ok(condition: unknown, message = 'not so'): asserts condition {
  if (!condition) throw new Error(message);
}

export function equal(got: unknown, want: unknown, what = ''): void {
  const [g, w] = [JSON.stringify(got), JSON.stringify(want)];
  ok(g === w, `${what} got ${g}, want ${w}`);
}

export async function fails(promise: Promise<unknown>, code?: string): Promise<void> {
  const thrown: unknown = await promise.then(
    () => undefined,
    (error: unknown) => error ?? 'rejected',
  );
  ok(thrown !== undefined, 'it did not fail');
  if (code) equal((thrown as TrackError).code, code);
}

/** How long a tracker waits before its second attempt when the first was answered so; its clock is moved by hand. */
async function firstWait(subject: Subject, server: string, headers: Record<string, string>, now = 0): Promise<number> {
  const b = await Bench.open(subject, server, { replies: [{ status: 503, headers }] });
  const clock = manualClock(now);
  const tracker = b.tracker({ clock, flushIntervalMs: 1, requestTimeoutMs: 1e9 });
  void tracker.track('e', {}, { ts: '2026-01-15T10:30:00Z' });
  clock.advance(1);
  while (!tracker.stats().retries) await new Promise((resolve) => setTimeout(resolve, 5));
  const wait = clock.pending()[0] ?? 0;
  clock.advance(wait);
  await tracker.flush();
  equal((await b.report()).stored.length, 1);
  return wait;
}

export type Behaviour = (subject: Subject, server: string) => Promise<void>;

/** Both of them are sent again after the reply, and stored once; by a browser itself, for some replies. */
const retriesOn =
  (...replies: Reply[]): Behaviour =>
  async (subject, server) => {
    const b = await Bench.open(subject, server, { replies });
    const tracker = b.tracker();
    b.fill(tracker, 2);
    await tracker.flush();
    const { requests, stored } = await b.report();
    equal(requests.length, replies.length + 1);
    for (const r of requests) equal(r.events, requests[0]?.events);
    equal(stored.length, 2);
    equal([tracker.stats().delivered, b.dropped.length], [2, 0]);
  };

export function problem(status: number, more: object): object {
  return { type: 't', title: 't', status, detail: 'd', request_id: 'r', ...more };
}

/** What something between the tracker and Nimbus says, in a deployment or before a login. */
const foreign: Reply[] = [
  { status: 404, body: 'default backend - 404' },
  { status: 403, body: '<h1>Forbidden</h1>' },
  { status: 401, body: '<form action="/login">' },
  { status: 400, body: { title: 'Bad Request', errors: { header: ['too long'] } } },
  { status: 400, body: { errors: [null, 'too long'] } },
  { status: 404, body: problem(404, { code: 'not_found' }), headers: { 'Content-Type': 'application/json' } },
];

const isFinal =
  (status: number, body?: unknown, code = 'scripted', n = 3): Behaviour =>
  async (subject, server) => {
    const b = await Bench.open(subject, server, { replies: [{ status, ...(body === undefined ? {} : { body }) }] });
    const tracker = b.tracker();
    b.fill(tracker, n);
    await tracker.flush();
    equal((await b.report()).requests.length, 1);
    equal(b.dropped.map(([event, reason]) => [event.name, reason.code]), Array.from({ length: n }, (_, k) => [nameOf(k), code]));
    equal([tracker.stats().dropped, tracker.stats().delivered], [n, 0]);
  };

export const behaviours: Record<string, Behaviour> = {
  sends_what_was_tracked: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.tracker();
    void tracker.track('first', { page: '/ü', deep: { list: [1, null, true] } }, { userId: 'u', anonymousId: 'a', ts: '2026-01-15T10:30:00.123456Z', seq: 7, idempotencyKey: 'k' });
    await tracker.flush();
    const { requests } = await b.report();
    equal(requests[0]?.project_id, b.projectId);
    const { props, ...rest } = requests[0]?.events[0] ?? ({} as Event);
    equal([props?.['page'], props?.['deep']], ['/ü', { list: [1, null, true] }]);
    equal(rest, { anonymous_id: 'a', idempotency_key: 'k', name: 'first', seq: 7, ts: '2026-01-15T10:30:00.123456Z', user_id: 'u' });
  },
  sends_in_order: async (subject, server) => {
    const b = await Bench.open(subject, server, { replies: [{}, { status: 503 }] });
    const tracker = b.tracker({ maxBatchEvents: 3 });
    const keys = Array.from({ length: 10 }, (_, k) => `k${k}`);
    for (const idempotencyKey of keys) void tracker.track('e', {}, { idempotencyKey });
    await tracker.flush();
    equal((await b.report()).stored, keys);
  },
  takes_ts_at_the_call: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.tracker();
    const before = Date.now();
    void tracker.track('e');
    const after = Date.now();
    while (Date.now() <= after) await new Promise((resolve) => setTimeout(resolve));
    await tracker.flush();
    const at = Date.parse((await b.report()).requests[0]?.events[0]?.ts ?? '');
    ok(at >= before && at <= after, `ts is ${at}, the call was from ${before} to ${after}`);
  },
  gives_each_event_an_idempotency_key: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.tracker();
    void tracker.track('e', {}, { idempotencyKey: 'own' });
    b.fill(tracker, 2);
    await tracker.flush();
    const { stored } = await b.report();
    equal(stored[0], 'own');
    equal(new Set(stored).size, 3);
  },
  props_are_taken_at_the_call: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.tracker();
    const props = { list: [1] };
    void tracker.track('e', props);
    props.list.push(2);
    await tracker.flush();
    equal((await b.report()).requests[0]?.events[0]?.props?.['list'], [1]);
  },
  flushes_by_count: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.tracker({ maxBatchEvents: 3 });
    b.fill(tracker, 2);
    equal((await b.report()).requests.length, 0);
    void tracker.track('third');
    equal((await b.report('?requests=1')).requests[0]?.events.length, 3);
    b.fill(tracker, 7);
    await tracker.flush();
    ok((await b.names()).every((names) => names.length <= 3), 'a batch is too large');
  },
  flushes_by_bytes: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.tracker({ maxBatchBytes: 4000, gzipAboveBytes: Infinity });
    b.fill(tracker, 30, { text: 'ü'.repeat(200) });
    const { requests } = await b.report('?requests=1');
    ok(requests.length > 0);
    await tracker.flush();
    for (const r of (await b.report()).requests) ok(r.body_bytes <= 4000, `a body has ${r.body_bytes} bytes`);
    ok((requests[0]?.body_bytes ?? 0) > 3000, 'a batch is needlessly small');
  },
  flushes_by_time: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.tracker({ flushIntervalMs: 20 });
    void tracker.track('alone');
    await b.report('?requests=1');
    equal(await b.names(), [['alone']]);
  },
  flush_with_no_events_sends_nothing: async (subject, server) => {
    const b = await Bench.open(subject, server);
    await b.tracker().flush();
    equal((await b.report()).requests.length, 0);
  },
  flush_waits_for_the_answer: async (subject, server) => {
    const b = await Bench.open(subject, server, { replies: [{ status: 503 }, { hold: true }] });
    const tracker = b.tracker({ maxQueueEvents: 1 });
    b.fill(tracker, 1);
    let done = false;
    const flushed = tracker.flush().then(() => (done = true));
    await b.report('?requests=1&waiting=1');
    b.fill(tracker, 3); // of which two are dropped: what becomes of later events is not its business
    await b.report();
    ok(!done, 'flush did not wait');
    await b.release();
    await flushed;
    await tracker.flush();
    equal([tracker.stats().delivered, b.dropped.length], [2, 2]);
  },
  flush_gives_up_with_its_caller: async (subject, server) => {
    const b = await Bench.open(subject, server, { replies: [{ hold: true }] });
    const tracker = b.tracker();
    b.fill(tracker, 1);
    const caller = new AbortController();
    const flushed = tracker.flush({ signal: caller.signal });
    await b.report('?waiting=1');
    caller.abort();
    await fails(flushed);
    equal([tracker.stats().waiting, b.dropped.length], [1, 0]);
    await b.release();
    await tracker.flush();
    equal(tracker.stats().delivered, 1);
  },
  close_flushes: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.tracker();
    b.fill(tracker, 3);
    equal(await tracker.close({ timeoutMs: 60_000 }), []);
    equal((await b.report()).stored.length, 3);
  },
  close_says_how_many_were_not_delivered: async (subject, server) => {
    const b = await Bench.open(subject, server, { replies: [{ hold: true }] });
    const tracker = b.tracker({ maxBatchEvents: 2 });
    b.fill(tracker, 3);
    await b.report('?waiting=1');
    const left = await tracker.close({ timeoutMs: 20 });
    equal(left.map((e) => e.name), ['e0', 'e1', 'e2']);
    equal(b.dropped.map(([event, reason]) => [event.name, reason.code]), ['e0', 'e1', 'e2'].map((name) => [name, 'closed']));
    equal([tracker.stats().dropped, tracker.stats().waiting], [3, 0]);
  },
  track_after_close_is_refused: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.tracker();
    await tracker.close();
    await fails(tracker.track('late'), 'closed');
    equal([(await b.report()).requests.length, tracker.stats().refused], [0, 1]);
  },
  retries_on_503: retriesOn({ status: 503 }),
  retries_on_500: retriesOn({ status: 500 }, { status: 502 }, { status: 504 }),
  retries_on_429: retriesOn({ status: 429 }),
  retries_on_408: retriesOn({ status: 408 }),
  retries_on_network_error: retriesOn({ drop: 'before' }),
  a_lost_answer_doubles_nothing: retriesOn({ drop: 'after' }),
  does_not_retry_on_400: isFinal(400),
  does_not_retry_on_401: isFinal(401),
  does_not_retry_on_403: isFinal(403),
  final_on_a_problem_json_404: isFinal(404, problem(404, { code: 'not_found' }), 'not_found'),
  retries_a_404_that_nimbus_did_not_write: retriesOn(...foreign),
  does_not_retry_on_422: isFinal(422),
  goes_on_after_a_final_error: async (subject, server) => {
    const b = await Bench.open(subject, server, { replies: [{ status: 400 }] });
    const tracker = b.tracker();
    void tracker.track('lost');
    await tracker.flush();
    void tracker.track('next');
    await tracker.flush();
    equal([await b.names(), (await b.report()).stored.length], [[['lost'], ['next']], 1]);
  },
  respects_retry_after: async (subject, server) => {
    const b = await Bench.open(subject, server, { replies: [{ status: 503, headers: { 'Retry-After': '1' } }] });
    const tracker = b.tracker();
    b.fill(tracker, 1);
    await tracker.flush();
    const [first, second] = (await b.report()).requests.map((r) => Date.parse(r.received_at));
    ok((second ?? 0) - (first ?? 0) > 900, 'it did not wait'); // timers and clocks are true to some milliseconds
    equal(tracker.stats().retries, 1);
  },
  respects_a_retry_after_date: async (subject, server) => {
    const date = (after: number) => new Date(1_768_473_000_000 + after).toUTCString();
    const headers = { Date: date(0), 'Retry-After': date(6000) };
    equal(await firstWait(subject, server, headers, subject.checks ? undefined : 1_768_473_000_000), 6000); // a page is not shown the Date
  },
  bounds_retry_after: async (subject, server) => {
    for (const after of ['601', '99999999999999999999']) equal(await firstWait(subject, server, { 'Retry-After': after }), 600_000);
  },
  retries_a_200_that_does_not_add_up: retriesOn(
    { status: 200, body: { accepted: 0, duplicates: 0, rejected: 0, errors: [] } },
    { status: 200, body: { accepted: 1, duplicates: 0, rejected: 0, errors: [] } },
    { status: 200, body: { accepted: 2 } },
  ),
  sends_uncompressed_after_415: async (subject, server) => {
    const b = await Bench.open(subject, server, { replies: [{ status: 415, body: 'no gzip here' }] });
    const tracker = b.tracker({ gzipAboveBytes: 10, maxBatchEvents: 1 });
    b.fill(tracker, 2);
    await tracker.flush();
    const { requests, stored } = await b.report();
    equal(requests.map((r) => r.headers['content-encoding'] ?? 'none'), ['gzip', 'none', 'none']);
    equal([stored.length, tracker.stats().retries, b.dropped.length], [2, 0, 0]);
  },
  gives_up_after_max_attempts: async (subject, server) => {
    const b = await Bench.open(subject, server, { replies: [{ status: 503, times: 3 }] });
    const tracker = b.tracker({ maxAttempts: 3 });
    b.fill(tracker, 2);
    await tracker.flush();
    equal((await b.report()).requests.length, 3);
    equal(b.dropped.map(([, reason]) => reason.code), ['max_attempts', 'max_attempts']);
  },
  preserves_id_on_retry: async (subject, server) => {
    const b = await Bench.open(subject, server, { replies: [{ status: 503 }, { drop: 'after' }] });
    const tracker = b.tracker();
    b.fill(tracker, 3);
    await tracker.flush();
    const { requests, stored } = await b.report();
    equal([new Set(requests.map((r) => r.text)).size, requests.length, stored.length], [1, 3, 3]);
  },
  survives_an_answer_that_is_no_problem: async (subject, server) => {
    await retriesOn({ status: 502, body: '<h1>Bad Gateway</h1>' })(subject, server);
    // One event alone that is too large for a proxy stays too large for it.
    await isFinal(413, '<h1>Too large</h1>', 'http_413', 1)(subject, server);
    // A captive portal says 200 to everything, and has stored nothing.
    await retriesOn({ status: 200, body: '<h1>Welcome</h1>' })(subject, server);
  },
  splits_on_413: async (subject, server) => {
    const b = await Bench.open(subject, server, { max_body_bytes: 1500 });
    const tracker = b.tracker({ gzipAboveBytes: Infinity });
    b.fill(tracker, 8, { text: 'x'.repeat(300) });
    await tracker.flush();
    const { requests, stored } = await b.report();
    equal(requests.slice(0, 3).map((r) => r.events.length), [8, 4, 2]);
    equal([stored.length, tracker.stats().delivered, b.dropped.length], [8, 8, 0]);
    equal(stored, requests[0]?.events.map((e) => e.idempotency_key));
  },
  drops_a_single_event_on_413: async (subject, server) => {
    const b = await Bench.open(subject, server, { max_body_bytes: 1500 });
    const tracker = b.tracker({ gzipAboveBytes: Infinity });
    void tracker.track('small');
    void tracker.track('huge', { text: 'x'.repeat(3000) });
    void tracker.track('small');
    await tracker.flush();
    equal(b.dropped.map(([event, reason]) => [event.name, reason.code]), [['huge', 'body_too_large']]);
    equal((await b.report()).stored.length, 2);
  },
  signs_each_request: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.signed({ maxBatchEvents: 1 });
    b.fill(tracker, 3);
    await tracker.flush();
    const { requests } = await b.report();
    equal(requests.map((r) => r.signature), ['valid', 'valid', 'valid']);
    ok(requests.every((r) => !('x-api-key' in r.headers) && !r.text.includes('ns_test')), 'the secret was sent');
  },
  re_signs_each_attempt: async (subject, server) => {
    const b = await Bench.open(subject, server, { replies: [{ status: 503, hold: true }] });
    const tracker = b.signed();
    b.fill(tracker, 1);
    const flushed = tracker.flush();
    const first = (await b.report('?waiting=1')).requests[0];
    // A timestamp has whole seconds: the answer waits for the next.
    while (Math.floor(Date.now() / 1000) <= Number(first?.headers['x-api-timestamp'])) await new Promise((resolve) => setTimeout(resolve, 10));
    await b.release();
    await flushed;
    const { requests } = await b.report();
    equal(requests.map((r) => r.signature), ['valid', 'valid']);
    ok(requests[0]?.headers['x-api-timestamp'] !== requests[1]?.headers['x-api-timestamp'], 'signed at the same time');
  },
  corrects_its_clock_once: async (subject, server) => {
    const b = await Bench.open(subject, server, { clock_ahead_seconds: 4000 });
    const tracker = b.signed({ maxBatchEvents: 1 });
    b.fill(tracker, 2);
    await tracker.flush();
    equal((await b.report()).requests.map((r) => [r.signature, r.status]), [['stale', 401], ['valid', 200], ['valid', 200]]);
    equal([tracker.stats().delivered, tracker.stats().retries], [2, 0]);
  },
  does_not_correct_its_clock_forever: async (subject, server) => {
    const b = await Bench.open(subject, server, { replies: [{ status: 401, body: problem(401, { code: 'stale_timestamp' }), times: 2 }] });
    const tracker = b.signed();
    b.fill(tracker, 1);
    await tracker.flush();
    equal([(await b.report()).requests.length, b.dropped.map(([, reason]) => reason.code)], [2, ['stale_timestamp']]);
  },
  sends_the_secret: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.trackerWith({ secret: 'ns_test' });
    b.fill(tracker, 1);
    await tracker.flush();
    const { requests } = await b.report();
    equal([requests[0]?.headers['x-api-key'], requests[0]?.signature, requests[0]?.status], ['ns_test', 'absent', 200]);
  },
  sends_the_write_key: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.trackerWith({ writeKey: 'nw_test' });
    b.fill(tracker, 1);
    await tracker.flush();
    const { requests } = await b.report();
    equal([requests[0]?.headers['x-write-key'], requests[0]?.signature, requests[0]?.status], ['nw_test', 'absent', 200]);
  },
  compresses_large_bodies: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.tracker({ gzipAboveBytes: 500 });
    b.fill(tracker, 1, { text: 'x'.repeat(1000) });
    await tracker.flush();
    const { requests } = await b.report();
    equal([requests[0]?.headers['content-encoding'], requests[0]?.status], ['gzip', 200]);
    ok((requests[0]?.body_bytes ?? 1000) < 500, 'it is not compressed');
  },
  does_not_compress_small_bodies: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.tracker({ gzipAboveBytes: 5000 });
    b.fill(tracker, 1, { text: 'x'.repeat(1000) });
    await tracker.flush();
    equal((await b.report()).requests[0]?.headers['content-encoding'], undefined);
  },
  gzip_body_is_signed_as_sent: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.signed({ gzipAboveBytes: 10 });
    b.fill(tracker, 1);
    await tracker.flush();
    const { requests } = await b.report();
    equal([requests[0]?.headers['content-encoding'], requests[0]?.signature, requests[0]?.status], ['gzip', 'valid', 200]);
  },
  reports_rejections: async (subject, server) => {
    const error = { index: 1, pointer: '/events/1/name', code: 'length', detail: 'must be shorter' };
    const b = await Bench.open(subject, server, { replies: [{ status: 200, body: { accepted: 2, duplicates: 0, rejected: 1, errors: [error] } }] });
    const tracker = b.tracker();
    b.fill(tracker, 3);
    await tracker.flush();
    equal(b.rejected.map(([event, errors]) => [event.name, errors]), [['e1', [error]]]);
    equal([tracker.stats().delivered, tracker.stats().rejected, b.dropped.length], [2, 1, 0]);
  },
  reports_rejections_of_a_whole_batch: async (subject, server) => {
    const errors = [0, 1].map((index) => ({ index, pointer: `/events/${index}/ts`, code: 'range', detail: 'too old' }));
    const b = await Bench.open(subject, server, { replies: [{ status: 422, body: problem(422, { code: 'all_events_rejected', accepted: 0, duplicates: 0, rejected: 2, errors }) }] });
    const tracker = b.tracker();
    b.fill(tracker, 2);
    await tracker.flush();
    equal(b.rejected.map(([event, own]) => [event.name, own]), [['e0', [errors[0]]], ['e1', [errors[1]]]]);
    equal([tracker.stats().rejected, tracker.stats().dropped], [2, 0]);
  },
  reports_duplicates_as_delivered: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.tracker({ maxBatchEvents: 1 });
    for (let k = 0; k < 2; k++) void tracker.track('e', {}, { idempotencyKey: 'same', ts: 1_768_473_000_000 });
    await tracker.flush();
    equal([(await b.report()).stored, tracker.stats().delivered], [['same'], 2]);
  },
  refuses_a_bad_event_at_once: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.tracker();
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    const nested = JSON.parse('{"a":'.repeat(9) + '1' + '}'.repeat(9)) as Record<string, unknown>;
    const cannotBeSent = [tracker.track('e', loop), tracker.track('e', { big: 1n }), tracker.track('e', {}, { ts: Number.NaN })];
    const wouldBeRefused = !subject.checks
      ? []
      : [
          tracker.track(''),
          tracker.track('x'.repeat(201)),
          tracker.track('a\nb'),
          tracker.track('e', nested),
          tracker.track('e', { text: 'x'.repeat(33_000) }),
          tracker.track('e', { text: 'a\0b' }),
          tracker.track('e', []),
          tracker.track('e', {}, { userId: '' }),
          tracker.track('e', {}, { anonymousId: 'x'.repeat(201) }),
          tracker.track('e', {}, { idempotencyKey: '' }),
          tracker.track('e', {}, { seq: -1 }),
          tracker.track('e', {}, { ts: 'yesterday' }),
          tracker.track('e', {}, { ts: '2026-01-15' }),
          tracker.track('e', {}, { ts: 'Thu, 15 Jan 2026 10:30:00 GMT' }),
          tracker.track('e', { text: 'half \ud83d' }),
          tracker.track('e', new Date()),
          tracker.track('e', 'text' as never),
          tracker.track('e', {}, { userId: Number.NaN }),
          tracker.track('e', {}, { userId: {} as unknown as string }),
          tracker.track('e', {}, { ts: new Date('1970-12-31T23:59:59Z') }),
        ];
    const all = [...cannotBeSent, ...wouldBeRefused];
    for (const one of all) await fails(one, 'invalid_event');
    await tracker.track('𝒳'.repeat(200), JSON.parse('{"a":'.repeat(subject.checks ? 8 : 7) + '1' + '}'.repeat(subject.checks ? 8 : 7)) as Record<string, unknown>);
    await tracker.flush();
    equal([tracker.stats().refused, tracker.stats().tracked, (await b.report()).stored.length], [all.length, 1, 1]);
  },
  drop_oldest_counts: async (subject, server) => {
    const b = await Bench.open(subject, server, { replies: [{ hold: true }] });
    const tracker = b.tracker({ maxQueueEvents: 3, maxBatchEvents: 100 });
    void tracker.track('under way');
    const flushed = tracker.flush();
    await b.report('?waiting=1');
    b.fill(tracker, 5);
    equal(b.dropped.map(([event, reason]) => [event.name, reason.code]), [['e0', 'queue_full'], ['e1', 'queue_full']]);
    equal([tracker.stats().dropped, tracker.stats().waiting], [2, 4]);
    await b.release();
    await flushed;
    await tracker.flush();
    equal((await b.names()).flat(), ['under way', 'e2', 'e3', 'e4']);
  },
  full_queue_is_an_error: async (subject, server) => {
    const b = await Bench.open(subject, server, { replies: [{ hold: true }] });
    const tracker = b.tracker({ maxQueueEvents: 2, maxBatchEvents: 100, onFull: 'error' });
    void tracker.track('under way');
    const flushed = tracker.flush();
    await b.report('?waiting=1');
    b.fill(tracker, 2);
    await fails(tracker.track('no room'), 'queue_full');
    equal([tracker.stats().refused, tracker.stats().tracked, b.dropped.length], [1, 3, 0]);
    await b.release();
    await flushed;
    await tracker.flush();
    equal((await b.report()).stored.length, 3);
  },
  full_queue_blocks: async (subject, server) => {
    const b = await Bench.open(subject, server, { replies: [{ hold: true }] });
    const tracker = b.tracker({ maxQueueEvents: 2, maxBatchEvents: 100, onFull: 'block' });
    void tracker.track('under way');
    const flushed = tracker.flush();
    await b.report('?waiting=1');
    b.fill(tracker, 2);
    const caller = new AbortController();
    const given = tracker.track('given up', {}, { signal: caller.signal });
    const props = { n: 1 };
    let done = false;
    const waited = tracker.track('waited', props).then(() => (done = true));
    props.n = 2;
    caller.abort();
    const others = Array.from({ length: 5 }, () => tracker.track('beside it'));
    await fails(given);
    ok(!done, 'it did not wait');
    await b.release();
    await Promise.all([waited, ...others]);
    await flushed;
    await tracker.flush();
    const events = (await b.report()).requests.flatMap((r) => r.events);
    equal([events.length, events.find((e) => e.name === 'waited')?.props?.['n']], [9, 1]);
    equal([tracker.stats().dropped, tracker.stats().refused], [0, 1]);
  },
  counts_add_up: async (subject, server) => {
    const error = { index: 0, pointer: '/events/0/name', code: 'length', detail: 'd' };
    const b = await Bench.open(subject, server, {
      replies: [{ status: 503 }, { status: 200, body: { accepted: 1, duplicates: 0, rejected: 1, errors: [error] } }, { status: 400 }, { drop: 'after' }],
    });
    const tracker = b.tracker({ maxBatchEvents: 2, maxQueueEvents: 4 });
    const check = (): void => {
      const s = tracker.stats();
      equal(s.tracked, s.delivered + s.rejected + s.dropped + s.waiting, JSON.stringify(s));
    };
    for (let k = 0; k < 12; k++) {
      void tracker.track('e');
      check();
    }
    const watch = setInterval(check);
    await tracker.flush();
    b.fill(tracker, 1);
    await tracker.close({ timeoutMs: 60_000 });
    clearInterval(watch);
    check();
    const s = tracker.stats();
    equal([s.tracked, s.rejected, s.waiting], [13, b.rejected.length, 0]);
    equal(s.dropped, b.dropped.length);
  },
};
