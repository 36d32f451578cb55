import type { Event, EventError, ProfileOperation } from '../gen/types.gen.js';

/** What a tracker keeps until it is sent: an event, which has a `name`, or a change of a profile, which has an `op`. */
export type Kept = (Event & { op?: undefined }) | (ProfileOperation & { name?: undefined });

/** The events of an application and the props of each; any event with any props unless an application says otherwise. */
export type EventMap = Record<string, object>; // an interface is an object, and no Record

/** What `track` is given besides the name: props may be left out when none of them is required. */
export type Args<Props> = {} extends Props ? [props?: Props, options?: TrackOptions] : [props: Props, options?: TrackOptions];

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

/** What may be said of an operation on a profile: of whom it is, and when it was. */
export interface OperationOptions extends Omit<TrackOptions, 'seq'> {
  /** Of which group it is, instead of a person: a company, a workspace. */
  group?: { type: string; key: string } | undefined;
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
  /** The code of the server's problem, or `http_413`, `queue_full`, `closed`, `max_attempts`, `opted_out`, `before_send`. */
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
  /** Sees each event, and each change of a profile, before it is kept anywhere, and returns what is to be sent: the same, changed or not, or nothing to drop it, which `onDrop` is told. What it was given is dropped when it throws. */
  beforeSend?: ((kept: Kept) => Kept | null | undefined) | undefined;
  /** Called for each event, and each change of a profile, that the server refused, with what is wrong with it. */
  onReject?: ((kept: Kept, errors: EventError[]) => void) | undefined;
  /** Called for each event, and each change of a profile, that was given up, with the reason. */
  onDrop?: ((kept: Kept, reason: DropReason) => void) | undefined;
  /** Says on the console what happens: what was taken, stored, tried again and why, and repaired. Default false. */
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

/** Takes at once what is to be sent, sends it in batches, and loses none of it without saying so. */
export interface Queue {
  /** Sends what waits; fulfilled when the server has answered for everything taken before. Rejected when `signal` ends it. */
  flush: (options?: { signal?: AbortSignal | undefined }) => Promise<void>;
  /** Takes no more, sends what waits, and returns what was not delivered in time (10 s by default). */
  close: (options?: { timeoutMs?: number | undefined; signal?: AbortSignal | undefined }) => Promise<Kept[]>;
  /** What has become of it all so far. */
  stats: () => TrackerStats;
}

/**
 * The calls that say what happened and what is known of people and groups. Each takes it with the time of the call, and with
 * an idempotency key of its own.
 *
 * The promise is fulfilled when it is in the queue. It is rejected with a `TrackError` when it can never be stored, the tracker
 * is closed, or the queue is full and `onFull` says so, and with the reason of `signal` when that ends the wait for room; a
 * rejection that nobody awaits is no unhandled one, because tracking must not end the program.
 */
export interface Calls<Events extends { [Name in keyof Events]: object } = EventMap> {
  /** Takes an event. */
  track: <Name extends keyof Events & string>(name: Name, ...args: Args<Events[Name]>) => Promise<void>;
  /** Takes a `$pageview`. */
  page: (props?: object, options?: TrackOptions) => Promise<void>;
  /** Takes a `$screen`, that of an app, with its `name`. */
  screen: (name: string, props?: object, options?: TrackOptions) => Promise<void>;
  /** Says who a person is: that the user and the anonymous id are one person, now and in the past, and what is known of them. */
  identify: (userId: string | number, props?: object, options?: OperationOptions) => Promise<void>;
  /** Says that another anonymous id, such as that of an app, is the user's too. */
  alias: (userId: string | number, anonymousId: string | number, options?: OperationOptions) => Promise<void>;
  /**
   * Says what is known of a group, such as `group('company', 'acme', { plan: 'team' })`. Of a visitor it also says that they belong
   * to it: later events have the prop `company: 'acme'`.
   */
  group: (type: string, key: string, props?: object, options?: OperationOptions) => Promise<void>;
  /** Makes these the person's properties. */
  setPeople: (props: object, options?: OperationOptions) => Promise<void>;
  /** Sets the properties that the person does not have yet. */
  setPeopleOnce: (props: object, options?: OperationOptions) => Promise<void>;
  /** Adds to numbers: `{ orders: 1 }`. */
  addPeople: (props: Record<string, number>, options?: OperationOptions) => Promise<void>;
  /** Puts a value at the end of a list. */
  appendPeople: (props: object, options?: OperationOptions) => Promise<void>;
  /** Adds to a list what it does not have: a value, or a list of them. */
  unionPeople: (props: object, options?: OperationOptions) => Promise<void>;
  /** Takes a value out of a list. */
  removePeople: (props: object, options?: OperationOptions) => Promise<void>;
  /** Takes properties away. */
  unsetPeople: (names: string | string[], options?: OperationOptions) => Promise<void>;
  /** Deletes the profile; events stay. */
  deletePerson: (options?: OperationOptions) => Promise<void>;
  /** Gives all later events these props, unless they have their own. */
  register: (props: object) => void;
  /** Takes away what `register` gave. */
  unregister: (...names: string[]) => void;
}

/** Tracks for a program that many people use: each call says of whom it speaks. */
export interface Tracker<Events extends { [Name in keyof Events]: object } = EventMap> extends Calls<Events>, Queue {
  /** Tracks for one person: in a command, or an app on a desktop. */
  visitor: (options?: VisitorOptions) => Visitor<Events>;
}

/** Where a visitor's ids, session and registered props are kept: short texts by name. */
export interface Store {
  get: (name: string) => string | undefined;
  /** Keeps a value, or forgets it when there is none. */
  set: (name: string, value?: string) => void;
}

/** How to make a visitor. */
export interface VisitorOptions {
  /** Keeps the visitor beyond the life of the program; in memory by default. */
  store?: Store | undefined;
  /** A session ends after so long without an event, in milliseconds. Default 1800000. */
  sessionTimeoutMs?: number | undefined;
}

/** Tracks for one person at one device. Every event and every change of the profile gets their ids, and each event the prop `session_id`. */
export interface Visitor<Events extends { [Name in keyof Events]: object } = EventMap> extends Calls<Events> {
  /** The id of the person before they are known; undefined where nobody may be tracked. */
  getAnonymousId: () => string | undefined;
  /** The id of the session, which ends after 30 minutes without an event and after 24 hours; undefined as above. */
  getSessionId: () => string | undefined;
  /** Forgets the person, the groups and what was registered, and begins a new session: for logging out. */
  reset: () => void;
}
