/**
 * What tests of applications need: a server that records instead of storing, and a clock moved by hand.
 *
 * @packageDocumentation
 */
import type { Event, ProfileOperation } from './gen/types.gen.js';
import type { Clock } from './tracker/types.js';

/** A request as it was sent. */
export interface RecordedRequest {
  url: string;
  headers: Headers;
  /** The body, decompressed; a request has either events or changes of profiles. */
  body: { project_id: string; events: Event[]; operations?: ProfileOperation[] };
}

/** Answers in turn: a status, or `'network_error'`. After the last every request succeeds. */
export type ScriptedReply = number | 'network_error';

/** A transport that records what is sent; pass its `fetch` to a tracker. */
export interface RecordingTransport {
  readonly fetch: typeof fetch;
  /** Every event that was accepted, once, in the order it came. */
  readonly events: Event[];
  /** The same of changes of profiles. */
  readonly operations: ProfileOperation[];
  readonly requests: RecordedRequest[];
}

/**
 * Makes a transport that accepts everything, after the replies given.
 *
 * ```ts
 * const transport = recordingTransport();
 * const tracker = createTracker({ …, fetch: transport.fetch });
 * tracker.track('signed_up');
 * await tracker.flush();
 * assert.equal(transport.events[0].name, 'signed_up');
 * ```
 */
export function recordingTransport(replies: ScriptedReply[] = []): RecordingTransport {
  const events: Event[] = [];
  const operations: ProfileOperation[] = [];
  const requests: RecordedRequest[] = [];
  const known = new Set<string>();
  const left = [...replies];
  /** Keeps those that come for the first time, and says how many; without a key each does. */
  const keep = <T extends { idempotency_key?: string }>(kept: T[], came: T[], identity: (one: T) => string): number => {
    const fresh = came.filter((one) => {
      const id = identity(one);
      const again = one.idempotency_key !== undefined && known.has(id);
      known.add(id);
      return !again;
    });
    kept.push(...fresh);
    return fresh.length;
  };
  return {
    events,
    operations,
    requests,
    fetch: async (input, init) => {
      const request = new Request(input, init);
      const raw = request.headers.get('Content-Encoding') === 'gzip' ? request.body?.pipeThrough(new DecompressionStream('gzip')) : request.body;
      const body: RecordedRequest['body'] = { events: [], ...(JSON.parse(await new Response(raw ?? null).text()) as Omit<RecordedRequest['body'], 'events'>) };
      requests.push({ url: request.url, headers: request.headers, body });
      const status = left.shift() ?? 200;
      if (status === 'network_error') throw new TypeError('fetch failed');
      if (status !== 200) return Response.json({ code: 'scripted', detail: `A scripted ${status}.` }, { status, headers: { 'Content-Type': 'application/problem+json' } });
      const { events: tracked, operations: changes = [] } = body;
      const accepted = keep(events, tracked, identity) + keep(operations, changes, identityOfOperation);
      return Response.json({ accepted, duplicates: tracked.length + changes.length - accepted, rejected: 0, errors: [] });
    },
  };
}

/** What makes two events one for the server: with their key also the time, the name and the person. */
const identity = (e: Event): string => JSON.stringify([e.ts, e.name, e.user_id, e.user_id ? '' : e.anonymous_id, e.idempotency_key]);
/** The same of changes of profiles: the time does not matter. */
const identityOfOperation = (o: ProfileOperation): string => JSON.stringify([o.op, o.user_id, o.user_id ? '' : o.anonymous_id, o.group, o.idempotency_key]);

/** A clock that stands still until it is advanced. */
export interface ManualClock extends Clock {
  /** Moves the time on and runs what is due, in order. */
  advance(ms: number): void;
  /** How long until each timer is due. */
  pending(): number[];
}

/** Makes a clock that tests move by hand. */
export function manualClock(start = Date.UTC(2026, 0, 1)): ManualClock {
  let time = start;
  const timers = new Map<number, { at: number; run: () => void }>();
  let last = 0;
  return {
    now: () => time,
    setTimeout: (run, ms) => {
      timers.set(++last, { at: time + ms, run });
      return last;
    },
    clearTimeout: (timer) => void timers.delete(timer as number),
    advance: (ms) => {
      const end = time + ms;
      for (;;) {
        const due = [...timers].filter(([, t]) => t.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
        if (!due) break;
        timers.delete(due[0]);
        time = Math.max(time, due[1].at);
        due[1].run();
      }
      time = end;
    },
    pending: () => [...timers.values()].map((t) => t.at - time).sort((a, b) => a - b),
  };
}
