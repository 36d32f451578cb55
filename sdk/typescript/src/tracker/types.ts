import type { Event, EventError } from '../gen/types.gen.js';

/** The events of an application and the props of each; any event with any props unless an application says otherwise. */
export type EventMap = Record<string, object>; // an interface is an object, and no Record

/** What `track` is given besides the name: props may be left out when none of them is required. */
type Args<Props> = {} extends Props ? [props?: Props, options?: TrackOptions] : [props: Props, options?: TrackOptions];

/** What may be said of one event besides its name and props. */
export interface TrackOptions {
  /** Who did it, once known. A number is sent as its digits; null is nobody. */
  userId?: string | number | null | undefined;
  /** Who did it, before it is known. */
  anonymousId?: string | number | null | undefined;
  /** When it happened; the time of the call by default. A string must be RFC 3339 with a zone, and is sent as it is. */
  ts?: Date | number | string | undefined;
  /** Makes sending the event again safe, for ever; a random one by default. */
  idempotencyKey?: string | undefined;
  /** Orders events of the same `ts`. */
  seq?: number | undefined;
  /** Ends the wait for room that a full queue with `onFull: 'block'` causes. */
  signal?: AbortSignal | undefined;
}

/** How many events there have been, and what became of them: tracked = delivered + rejected + dropped + waiting. */
export interface TrackerStats {
  /** Taken into the queue. */
  tracked: number;
  /** Committed by the server, now or before. */
  delivered: number;
  /** Refused by the server, one by one; each went to `onReject`. */
  rejected: number;
  /** Given up; each went to `onDrop`. */
  dropped: number;
  /** In the queue or under way. */
  waiting: number;
  /** Never taken into the queue, because `track` failed. */
  refused: number;
  /** Attempts after the first. */
  retries: number;
}

/** Why an event was given up. */
export interface DropReason {
  /** The code of the server's problem, or `http_413`, `queue_full`, `closed`, `max_attempts`, `opted_out`. */
  code: string;
  detail: string;
}

/** Why `track` failed: `invalid_event`, `queue_full` or `closed`. */
export class TrackError extends Error {
  override readonly name = 'TrackError';
  constructor(
    readonly code: 'invalid_event' | 'queue_full' | 'closed',
    message: string,
  ) {
    super(message);
  }
}

/** Where the tracker tells what it does; `console` fits. */
export type Logger = Pick<Console, 'debug' | 'warn'>;

/** The time and its timers; tests bring their own. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** What a tracker is told, in Node and in browsers alike. */
export interface CommonOptions {
  /** Most events of one request; at most 10,000. Default 500 (browser: 50). */
  maxBatchEvents?: number | undefined;
  /** Most bytes of one request, before compression. Default 524288 (browser: 49152). */
  maxBatchBytes?: number | undefined;
  /** Longest an event waits for company, in milliseconds. Default 1000 (browser: 2000). */
  flushIntervalMs?: number | undefined;
  /** Most events that wait, besides those under way. Default 10000 (browser: 1000). */
  maxQueueEvents?: number | undefined;
  /** Most bytes that wait, besides those under way. Default 67108864 (browser: 500000). */
  maxQueueBytes?: number | undefined;
  /** What `track` does when the queue is full: `drop-oldest` makes room, `error` fails, `block` waits for room. Default drop-oldest. */
  onFull?: 'drop-oldest' | 'error' | 'block' | undefined;
  /** Attempts before a batch is given up; the bounded queue is the limit otherwise. Default Infinity. */
  maxAttempts?: number | undefined;
  /** The longest wait before the first retry, in milliseconds; it doubles with each. Default 500. */
  retryBaseMs?: number | undefined;
  /** The longest wait before any retry, but for the server's own `Retry-After`. Default 30000. */
  retryMaxMs?: number | undefined;
  /** The longest wait for an answer, in milliseconds. Default 30000. */
  requestTimeoutMs?: number | undefined;
  /** A larger body is compressed with gzip, where the platform can; `Infinity` never compresses. Default 1024. */
  gzipAboveBytes?: number | undefined;
  /** Called for each event that the server refused, with what is wrong with it. */
  onReject?: ((event: Event, errors: EventError[]) => void) | undefined;
  /** Called for each event that was given up, with the reason. */
  onDrop?: ((event: Event, reason: DropReason) => void) | undefined;
  /** Says on the console what happens: what was stored, what is tried again and why, what was repaired. Default false. */
  debug?: boolean | undefined;
  /** Told about everything instead of the console, which is told of each reason for a loss or a retry once. */
  logger?: Logger | undefined;
  /** Instead of the global `fetch`; a recording one is in `@nimbus-analytics/sdk/testing`. */
  fetch?: typeof fetch | undefined;
  /** Instead of the real time; one moved by hand is in `@nimbus-analytics/sdk/testing`. */
  clock?: Clock | undefined;
  /** Instead of `Math.random`, for the jitter. */
  random?: (() => number) | undefined;
}

/** Tracks events: takes them at once, sends them in batches, and loses none without saying so. */
export interface Tracker<Events extends { [Name in keyof Events]: object } = EventMap> {
  /**
   * Takes an event. Its time, props and idempotency key are those of the call.
   *
   * The promise is fulfilled when the event is in the queue. It is rejected with a `TrackError` when the event can never
   * be stored, the tracker is closed, or the queue is full and `onFull` says so, and with the reason of `signal` when that
   * ends the wait for room; a rejection that nobody awaits is no unhandled one, because tracking must not end the program.
   */
  track: <Name extends keyof Events & string>(name: Name, ...args: Args<Events[Name]>) => Promise<void>;
  /** Sends what waits; fulfilled when the server has answered for every event tracked before. Rejected when `signal` ends it. */
  flush: (options?: { signal?: AbortSignal | undefined }) => Promise<void>;
  /** Takes no more, sends what waits, and returns the events that were not delivered in time (10 s by default). */
  close: (options?: { timeoutMs?: number | undefined; signal?: AbortSignal | undefined }) => Promise<Event[]>;
  /** What has become of the events so far. */
  stats: () => TrackerStats;
}
