import { sign } from './sign.js';
import { fault } from './tracker/check.js';
import { type Base, callsOf, createRegister, memoryStore } from './tracker/calls.js';
import { createCore, type Credentials, realClock } from './tracker/core.js';
import type { Clock, CommonOptions, EventMap, OperationOptions, Tracker } from './tracker/types.js';
import { personOf } from './tracker/ids.js';
import { createVisitor } from './tracker/visitor.js';

/** How to make a tracker: where to send events, who sends them, and how. */
export interface TrackerOptions extends CommonOptions {
  /** The server, such as `https://nimbus.example.com`; a path before `/v1` is kept, and is no part of what is signed. */
  baseUrl: string;
  /** The project the key belongs to. */
  projectId: string;
  /** The id of the project's key pair, `nk_…`; with `secret`, every request is signed. On servers only. */
  keyId?: string | undefined;
  /** The secret of the pair, `ns_…`. Without `keyId` it is sent as it is, which only trusted networks should see. */
  secret?: string | undefined;
  /** A write key, `nw_…`: public, and all that a browser may have. */
  writeKey?: string | undefined;
  /** Ends the tracker like `close({ timeoutMs: 0 })`. */
  signal?: AbortSignal | undefined;
  /** How long a program of Node that ends without `close` stays to send what waits, in milliseconds; 0 loses it. Default 2000. */
  exitTimeoutMs?: number | undefined;
}

/**
 * Makes a tracker.
 *
 * ```ts
 * const tracker = createTracker({ baseUrl, projectId, keyId, secret });
 * tracker.track('signed_up', { plan: 'pro' }, { userId: 'user_123' });
 * await tracker.close();
 * ```
 *
 * Give the type of your events to have names and props checked: `createTracker<{ signed_up: { plan: string } }>(…)`.
 */
export function createTracker<Events extends { [Name in keyof Events]: object } = EventMap>(options: TrackerOptions): Tracker<Events> {
  const { baseUrl, secret, writeKey, signal, exitTimeoutMs = 2000 } = options;
  if (!writeKey === !secret) {
    throw new TypeError('createTracker needs either a writeKey, or a secret (with a keyId, to sign)');
  }
  checkLimits(options);
  const url = baseUrl.replace(/\/+$/, '');
  if (!/^https?:\/\/./.test(url)) throw new TypeError(`createTracker: baseUrl is ${baseUrl}, and must be like https://nimbus.example.com`);
  const core = createCore({ ...options, clock: options.clock ?? nodeClock, check: fault, read: textOf, url, auth: credentialsOf(options) });
  const abort = (): void => void core.close({ timeoutMs: 0 });
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort);
  // A program that ends without close has nothing left to do but this.
  const leave = (): void => {
    if (core.stats().waiting) void tracker.close({ timeoutMs: exitTimeoutMs });
  };
  const taken = (done: Promise<void>): Promise<void> => (options.onFull === 'block' ? holding(done) : done);
  const named = (own?: OperationOptions) => ({ ...own, userId: idOf(own?.userId), anonymousId: idOf(own?.anonymousId) });
  const { registered, ...register } = createRegister(memoryStore());
  const base: Base = {
    track: (name, props, own) => {
      const more = { ...registered(), ...own?.context };
      // Props that are no object are not made one: they are refused for it.
      const fits = !props || Object.prototype.toString.call(props) === '[object Object]';
      return taken(core.track(name, props, { ...named(own), context: fits && Object.keys(more).length ? more : undefined }));
    },
    operate: (op, what, own) => taken(core.operate(op, what, named(own))),
  };
  const calls = callsOf(base);
  const tracker: Tracker = {
    ...calls,
    ...register,
    // A word for nobody beside an anonymous id counts as absent; who asks to identify it must learn that it names nobody.
    identify: (userId, props, own) => (personOf(userId) ? calls.identify(userId, props, own) : base.operate('set', { props: {} })),
    alias: (userId, anonymousId, own) => (personOf(userId) && personOf(anonymousId) ? calls.alias(userId, anonymousId, own) : base.operate('set', { props: {} })),
    visitor: ({ store = memoryStore(), sessionTimeoutMs } = {}) => createVisitor(base, store, { sessionTimeoutMs, clock: options.clock }),
    stats: core.stats,
    flush: (how) => holding(core.flush(how)),
    close: (how) => {
      leaving.delete(leave);
      return holding(core.close(how));
    },
  };
  whenLeaving(leave);
  return tracker;
}

/** A server that is away must not keep a program running: its timers do not count. */
const nodeClock: Clock = {
  ...realClock,
  setTimeout: (run, ms) => {
    const timer = realClock.setTimeout(run, ms);
    (timer as { unref?: () => void }).unref?.();
    return timer;
  },
};

/** Keeps the program running until the promise is settled: one that ends under an await would have lost it without a word. */
function holding<T>(promise: Promise<T>): Promise<T> {
  const timer = realClock.setTimeout(() => undefined, Infinity);
  const release = (): void => realClock.clearTimeout(timer);
  promise.then(release, release);
  return promise;
}

/** An id that was given as a number is one, and null is none. What else is no text is refused by the check. */
const idOf = (id: unknown): string | undefined => (typeof id === 'bigint' || Number.isFinite(id) ? `${id as number}` : ((id as string | null) ?? undefined));

/** Reads an answer. What is longer than any of Nimbus was written by something else, and must not fill the memory. */
async function textOf(response: Response, most: number, abort: () => void): Promise<string> {
  // A fetch of the application's own may have no streams.
  const reader = response.body?.getReader?.();
  if (!reader) return response.text();
  const decoder = new TextDecoder();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += decoder.decode(value, { stream: true });
    if (text.length > most) {
      abort();
      throw new RangeError('the answer is too long');
    }
  }
}

/** What is done when the program has nothing left to do: one listener for all trackers, or Node warns of a leak. */
const leaving = new Set<() => void>();
let listening = false;

function whenLeaving(run: () => void): void {
  leaving.add(run);
  if (listening) return;
  listening = true;
  const { process } = globalThis as { process?: { on?: (event: string, run: () => void) => unknown } }; // not in a page
  process?.on?.('beforeExit', () => leaving.forEach((leave) => leave()));
}

/** What is not a number would be no limit, and less than this nothing could be sent: empty batches, for ever. */
const least = { maxBatchEvents: 1, maxBatchBytes: 1, maxQueueEvents: 1, maxQueueBytes: 1, exitTimeoutMs: 0, maxAttempts: 1, flushIntervalMs: 0, retryBaseMs: 0, retryMaxMs: 0, requestTimeoutMs: 0, gzipAboveBytes: 0 };

function checkLimits(options: TrackerOptions): void {
  for (const [name, min] of Object.entries(least)) {
    const value = options[name as keyof typeof least] ?? min;
    if (!(value >= min)) throw new TypeError(`createTracker: ${name} is ${value}, and must be at least ${min}`);
  }
}

function credentialsOf({ keyId, secret = '', writeKey, clock }: TrackerOptions): Credentials {
  if (writeKey !== undefined) return { headers: () => ({ 'X-Write-Key': writeKey }) };
  if (keyId === undefined) return { headers: () => ({ 'X-API-Key': secret }) };
  const now = (): number => clock?.now() ?? Date.now();
  let ahead = 0; // the server's clock minus ours
  return {
    headers: async (path, body) => {
      const timestamp = Math.floor((now() + ahead) / 1000);
      return { 'X-Api-Key-Id': keyId, 'X-Api-Timestamp': `${timestamp}`, 'X-Api-Signature': await sign(secret, timestamp, 'POST', path, body) };
    },
    setClock: (date = '') => {
      const server = Date.parse(date);
      if (Number.isNaN(server)) return false;
      ahead = server - now();
      return true;
    },
  };
}
