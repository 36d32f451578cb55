import type { Event, EventError } from '../gen/types.gen.js';
import { type CommonOptions, type DropReason, TrackError, type Tracker, type TrackerStats } from './types.js';
import type { fault } from './check.js';

/** How requests prove who sends them. */
export interface Credentials {
  /** The headers for this body. Without a promise where it can: a page that unloads gets no second turn. */
  headers(path: string, body: string | Uint8Array): Record<string, string> | Promise<Record<string, string>>;
  /** Takes over the server's clock, from its Date header. */
  setClock?(date: string | null): boolean;
}

/** Keeps waiting events beyond the life of the tracker. */
export interface Spool {
  /** Keeps an event, and says under which name. */
  add(json: string): string;
  remove(name: string): void;
}

export interface CoreOptions extends CommonOptions {
  url: string;
  projectId: string;
  credentials: Credentials;
  spool?: Spool | undefined;
  keepalive?: boolean;
  /** Refuses events that the server would surely refuse; without it the server does. */
  check?: typeof fault;
}

export interface Core extends Tracker {
  /** Takes an event of an earlier tracker as it was. */
  adopt: (json: string, name: string) => void;
  /** Sends what waits in this very turn, uncompressed and beside whatever is under way. */
  hurry: () => void;
  /** Tries again now, unless the server named a time. */
  wake: () => void;
  /** Gives up what waits, and breaks off what is under way. */
  discard: (reason: DropReason) => void;
}

/** An event that waits: as the JSON it is sent as, so that nothing can change it and its size is known. */
interface Item {
  /** Its name in the spool. The idempotency key would not do: events of other names or persons may have the same. */
  name: string;
  json: string;
  bytes: number;
  /** Its number among all that were tracked. */
  nth: number;
}

type Answer = [
  status: number,
  body: { accepted?: unknown; code?: string; detail?: string; errors?: EventError[] } | null | undefined,
  retryAfter: number,
  date: string | null,
];

const encoder = new TextEncoder();
const size = (text: string): number => encoder.encode(text).length;
const parse = (json: string): Event => JSON.parse(json) as Event;

/** A random id of 128 bits. Not `randomUUID`, which is missing from pages that are not served over HTTPS. */
export const randomId = (): string => crypto.getRandomValues(new Uint32Array(4)).reduce((id, part) => id + part.toString(36).padStart(7, '0'), '');

export function createCore(o: CoreOptions): Core {
  const clock = o.clock ?? {
    now: () => Date.now(),
    // What is longer, such as Infinity, would be over at once.
    setTimeout: (run, ms) => setTimeout(run, Math.min(ms, 2 ** 31 - 1)),
    clearTimeout: (timer) => clearTimeout(timer as number),
  };
  const {
    onFull, onReject, onDrop, logger, spool, credentials,
    maxBatchEvents = 500, maxBatchBytes = 524_288, flushIntervalMs = 1000, maxQueueEvents = 10_000, maxAttempts = Infinity,
    retryBaseMs = 500, retryMaxMs = 30_000, requestTimeoutMs = 30_000, gzipAboveBytes = 1024,
    random = Math.random, fetch: send = (...args) => fetch(...args),
  } = o;
  const path = new URL(o.url).pathname;
  const head = `{"project_id":${JSON.stringify(o.projectId)},"events":[`;
  const overhead = size(head) + 2;

  const queue: Item[] = [];
  let queuedBytes = 0;
  const underWay = new Set<Item[]>();
  const count = { tracked: 0, delivered: 0, rejected: 0, dropped: 0, refused: 0, retries: 0 };
  /** Whether none of the first n events waits any longer. */
  const settled = (n: number): boolean => [...underWay, queue].every(([first]) => !first || first.nth > n);
  const watchers = new Set<() => void>();
  const aborts = new Set<() => void>();
  let timer: unknown;
  let pumping = false;
  let stopped = false;
  let closing: Promise<Event[]> | undefined;
  let wakeUp: (() => void) | undefined;

  /** Calls back the application, whose faults must not become ours. */
  const tell = (run: () => void): void => {
    try {
      run();
    } catch (error) {
      logger?.warn('nimbus: a callback failed', error);
    }
  };
  const changed = (): void => watchers.forEach((watch) => watch());

  /** Waits for something that `changed` tells about. */
  const until = (done: () => unknown, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const watch = (): void => {
        if (signal?.aborted) reject(signal.reason as Error);
        else if (done()) resolve();
        else return;
        watchers.delete(watch);
        signal?.removeEventListener('abort', watch);
      };
      watchers.add(watch);
      signal?.addEventListener('abort', watch);
      watch();
    });
  /** Waits for the time to pass, or until there is nothing to wait for. */
  const sleep = async (ms: number, done: () => unknown, mayWake?: boolean, signal?: AbortSignal): Promise<void> => {
    let over = false;
    const end = (): void => {
      over = true;
      changed();
    };
    const alarm = clock.setTimeout(end, ms);
    if (mayWake) wakeUp = end;
    await until(() => over || done(), signal).catch(() => undefined);
    clock.clearTimeout(alarm);
  };

  const drop = (items: Item[], reason: DropReason): void => {
    count.dropped += items.length;
    if (items.length) logger?.warn(`nimbus: ${items.length} events dropped: ${reason.code}: ${reason.detail}`);
    for (const { name, json } of items) {
      // What a closed tracker could not deliver is for the next one.
      if (!stopped) spool?.remove(name);
      tell(() => onDrop?.(parse(json), reason));
    }
    changed();
  };

  const deliver = async (items: Item[], urgent?: boolean): Promise<void> => {
    const text = `${head}${items.map((item) => item.json).join()}]}`;
    let body: string | Uint8Array<ArrayBuffer> = text;
    const headers: Record<string, string> = { 'Content-Type': 'application/json' };
    if (!urgent && text.length > gzipAboveBytes && 'CompressionStream' in globalThis) {
      body = new Uint8Array(await new Response(new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer());
      headers['Content-Encoding'] = 'gzip';
    }
    let clockSet = false;
    const over = (): boolean => !underWay.has(items);
    for (let attempt = 1; !over(); attempt++) {
      const [status, reply, retryAfter, date] = await request(body, headers);
      if (over()) return;
      const code = reply?.code ?? (status ? `http_${status}` : 'network_error');
      const detail = reply?.detail ?? '';
      if (status === 200 && typeof reply?.accepted === 'number') return settle(items, reply.errors);
      if (status === 413 && items.length > 1) {
        const half = items.length >> 1;
        underWay.delete(items);
        const [first, second] = [items.slice(0, half), items.slice(half)];
        underWay.add(first).add(second);
        await deliver(first, urgent);
        return deliver(second, urgent);
      }
      if (code === 'stale_timestamp' && !clockSet && credentials.setClock?.(date)) {
        clockSet = true;
        attempt--;
        continue;
      }
      const final = status >= 400 && status < 500 && status !== 408 && status !== 429;
      if (final) return settle(items, reply?.errors, { code, detail });
      if (attempt >= maxAttempts) return settle(items, undefined, { code: 'max_attempts', detail: `${code}: ${detail}` });
      const wait = Math.max(random() * Math.min(retryMaxMs, retryBaseMs * 2 ** (attempt - 1)), retryAfter * 1000);
      count.retries++;
      logger?.debug(`nimbus: ${code}; attempt ${attempt + 1} in ${Math.round(wait)} ms`);
      await sleep(wait, over, !retryAfter);
    }
  };

  /** Counts what became of a batch: what is named in errors was refused; the rest was delivered, or is given up. */
  const settle = (items: Item[], errors?: EventError[], failure?: DropReason): void => {
    underWay.delete(items);
    const rest: Item[] = [];
    items.forEach((item, k) => {
      // A gateway's errors may be anything.
      const own = [errors].flat().filter((e) => e?.index === k) as EventError[];
      if (!own.length) {
        rest.push(item);
        return;
      }
      count.rejected++;
      logger?.warn(`nimbus: an event was rejected: ${own[0]?.code}: ${own[0]?.detail}`);
      spool?.remove(item.name);
      tell(() => onReject?.(parse(item.json), own));
    });
    if (failure) return drop(rest, failure);
    count.delivered += rest.length;
    for (const { name } of rest) spool?.remove(name);
    changed();
  };

  const request = async (body: string | Uint8Array<ArrayBuffer>, common: Record<string, string>): Promise<Answer> => {
    const control = new AbortController();
    const abort = (): void => control.abort();
    aborts.add(abort);
    const limit = clock.setTimeout(abort, requestTimeoutMs);
    let answer: Answer = [0, undefined, 0, null];
    try {
      const own = credentials.headers(path, body);
      const headers = { ...common, ...(own instanceof Promise ? await own : own) };
      // A browser refuses to keep alive what is larger than 64 KiB, each time anew.
      const keepalive = !!o.keepalive && new Blob([body]).size < 6e4;
      const response = await send(o.url, { method: 'POST', headers, body, signal: control.signal, keepalive, credentials: 'omit' });
      const text = await response.text();
      const after = response.headers.get('Retry-After') ?? '';
      answer = [response.status, undefined, /^\d{1,9}$/.test(after) ? +after : 0, response.headers.get('Date')];
      answer[1] = JSON.parse(text) as Answer[1];
    } catch (error) {
      // There was no answer, or it is a proxy's page.
      answer[1] = { detail: String(error) };
    }
    clock.clearTimeout(limit);
    aborts.delete(abort);
    return answer;
  };

  const full = (): boolean => queue.length >= maxQueueEvents;
  const cut = (n: number): Item[] => {
    const items = queue.splice(0, n);
    for (const item of items) queuedBytes -= item.bytes + 1;
    return items;
  };

  /** Takes the next batch off the queue. */
  const take = (): Item[] => {
    let n = 0;
    let bytes = overhead;
    while (n < queue.length && n < maxBatchEvents) {
      bytes += (queue[n] as Item).bytes + 1;
      // One event alone is sent whatever its size: the server decides.
      if (n && bytes - 1 > maxBatchBytes) break;
      n++;
    }
    const items = cut(n);
    underWay.add(items);
    changed(); // there is room
    return items;
  };

  /** Takes everything that waits; what is under way is broken off. */
  const takeAll = (): Item[] => {
    const items = [...underWay, cut(Infinity)].flat();
    underWay.clear();
    for (const abort of aborts) abort();
    return items;
  };

  const pump = async (): Promise<void> => {
    clock.clearTimeout(timer);
    timer = undefined;
    if (pumping) return;
    pumping = true;
    while (queue.length) await deliver(take());
    pumping = false;
  };

  const put = (json: string, name = ''): void => {
    if (full()) drop(cut(1), { code: 'queue_full', detail: 'a newer one needed the room' });
    const bytes = size(json);
    queue.push({ name, json, bytes, nth: ++count.tracked });
    queuedBytes += bytes + 1;
    if (queue.length >= maxBatchEvents || full() || overhead + queuedBytes > maxBatchBytes) void pump();
    else timer ??= clock.setTimeout(() => void pump(), flushIntervalMs);
  };

  const refuse = (code: TrackError['code'], message: string, error: unknown = new TrackError(code, message)): never => {
    count.refused++;
    logger?.warn(`nimbus: ${code}: ${message}`);
    throw error;
  };

  const core: Core = {
    track: (name, props, options = {}) => {
      const { userId, anonymousId, ts = clock.now(), idempotencyKey = randomId(), seq, signal } = options;
      const run = async (): Promise<void> => {
        let text = '';
        let wrong: string | undefined;
        try {
          const event = { name, ts: typeof ts === 'string' ? ts : new Date(ts).toISOString(), props, user_id: userId, anonymous_id: anonymousId, idempotency_key: idempotencyKey, seq };
          text = JSON.stringify(event);
          wrong = o.check?.(event, size);
        } catch (error) {
          wrong = String(error);
        }
        if (wrong) return refuse('invalid_event', wrong);
        if (!closing && onFull === 'error' && full()) refuse('queue_full', 'the queue is full');
        // Whoever waited beside it may have taken the room.
        while (onFull === 'block' && !closing && full()) {
          await until(() => !full() || closing, signal).catch((reason: unknown) => refuse('queue_full', 'given up by its caller', reason));
        }
        if (closing) refuse('closed', 'the tracker is closed');
        put(text, spool?.add(text));
      };
      const done = run();
      done.catch(() => undefined);
      return done;
    },
    flush: ({ signal } = {}) => {
      const target = count.tracked;
      void pump();
      return until(() => settled(target), signal);
    },
    close: ({ timeoutMs = 10_000, signal } = {}) =>
      (closing ??= (async () => {
        void pump();
        await sleep(timeoutMs, () => settled(count.tracked), false, signal);
        clock.clearTimeout(timer);
        stopped = true;
        const left = takeAll();
        drop(left, { code: 'closed', detail: 'not delivered in time' });
        return left.map((item) => parse(item.json));
      })()),
    stats: (): TrackerStats => ({ ...count, waiting: [...underWay, queue].flat().length }),
    adopt: put,
    hurry: () => {
      while (queue.length) void deliver(take(), true);
    },
    wake: () => wakeUp?.(),
    discard: (reason) => drop(takeAll(), reason),
  };
  return core;
}
