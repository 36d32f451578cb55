import type { EventError, ProfileOp } from '../gen/types.gen.js';
import { createTransport } from './transport.js';
import { type Clock, type CommonOptions, type DropReason, type Kept, type OperationOptions, type Queue, TrackError, type TrackerStats, type TrackOptions } from './types.js';
import type { fault } from './check.js';

/** How requests prove who sends them. */
export interface Credentials {
  /** The headers for this body. Without a promise where it can: a page that unloads gets no second turn. */
  headers(path: string, body: string | Uint8Array): Record<string, string> | Promise<Record<string, string>>;
  /** Takes over the server's clock, from its Date header. */
  setClock?(date?: string): boolean;
}

/** Keeps waiting events beyond the life of the tracker. */
export interface Spool {
  /** Keeps an event, and says under which name. */
  add: (json: string) => string;
  remove: (name: string) => void;
}

export interface CoreOptions extends CommonOptions {
  /** The address of the server; what is below it begins with /v1. */
  url: string;
  projectId: string;
  auth: Credentials;
  spool?: Spool | undefined;
  /** In a page: requests outlive it, and say when they were sent, because its clock may be wrong by days. */
  page?: boolean;
  /** Refuses what the server would surely refuse; without it the server does. */
  check?: typeof fault;
  /** Reads an answer of at most so many characters, and aborts it when it has more. */
  read?: (response: Response, most: number, abort: () => void) => Promise<string>;
  /** Repairs the JSON of an event that could not be stored. */
  mend?: (json: string) => string;
}

/** What the page's tracker adds to an event: props that those of the caller override. */
export interface CoreTrackOptions extends TrackOptions {
  context?: object;
}

export interface Core extends Queue {
  track: (name: string, props?: object, options?: CoreTrackOptions) => Promise<void>;
  /** Takes an operation on a profile. What it works on are the props, or the names of those to remove. */
  operate: (op: ProfileOp, what: object | undefined, options?: OperationOptions) => Promise<void>;
  /** Takes what an earlier tracker had, as it was. */
  adopt: (json: string, name: string) => void;
  /** Sends what waits in this very turn, uncompressed and beside whatever is under way. */
  hurry: () => void;
  /** Tries again now, unless the server named a time. */
  wake: () => void;
  /** Gives up what waits, and breaks off what is under way. */
  discard: (reason: DropReason) => void;
}

/** What waits: as the JSON it is sent as, so that nothing can change it and its size is known. */
interface Item {
  /** Its name in the spool. The idempotency key would not do: events of other names or persons may have the same. */
  name: string;
  json: string;
  bytes: number;
  /** Its number among all that were tracked. */
  nth: number;
}

const longest = 2 ** 31 - 1; // a longer timer would be over at once

const encoder = new TextEncoder();
export const size = (text: string): number => encoder.encode(text).length;
const parse = (json: string): Kept => JSON.parse(json) as Kept;

/** Where each kind goes; the kind is also the member of the body. */
const paths = { events: '/v1/events', operations: '/v1/people/operations' };
/** An operation begins with its kind, in the queue and in the storage; an event, of an earlier version too, with its name. */
const kindOf = (item?: Item): keyof typeof paths => (item?.json.startsWith('{"op"') ? 'operations' : 'events');
const mostOperations = 1000; // of a request
/** The batches that items make: of one kind each, in their order. */
const split = (items: Item[]): Item[][] => {
  const batches: Item[][] = [];
  const open: Partial<Record<string, Item[]>> = {};
  for (const item of items) {
    const kind = kindOf(item);
    if (!open[kind] || (kind[0] === 'o' && open[kind].length === mostOperations)) batches.push((open[kind] = []));
    open[kind].push(item);
  }
  return batches;
};

/** A random id of 128 bits. Not `randomUUID`, which is missing from pages that are not served over HTTPS. */
export const randomId = (): string => crypto.getRandomValues(new Uint32Array(4)).reduce((id, part) => id + part.toString(36).padStart(7, '0'), '');

/** The time as it is. */
export const realClock: Clock = {
  now: () => Date.now(),
  setTimeout: (run, ms) => setTimeout(run, Math.min(ms, longest)),
  clearTimeout: (timer) => clearTimeout(timer as number),
};

/** What is counted, before anything is. */
export const zero = (): TrackerStats => ({ tracked: 0, delivered: 0, rejected: 0, dropped: 0, waiting: 0, refused: 0, retries: 0 });

export function createCore(o: CoreOptions): Core {
  const clock = o.clock ?? realClock;
  const {
    onFull, onReject, onDrop, beforeSend, debug, spool, auth,
    maxBatchEvents = 500, maxBatchBytes = 524_288, flushIntervalMs = 1000, maxQueueEvents = 10_000, maxQueueBytes = 67_108_864, maxAttempts = Infinity,
    retryBaseMs = 500, retryMaxMs = 30_000, gzipAboveBytes = 1024, random = Math.random,
  } = o;
  const { request, breakOff } = createTransport(o, clock);
  const headOf = (kind: string): string => `{"project_id":${JSON.stringify(o.projectId)},"${kind}":[`;
  const overhead = size(headOf('operations')) + 2; // the longer one

  const logger = o.logger ?? { debug: (text: string) => debug && console.log(text), warn: (...args) => console.warn(...args) };
  const said = new Set<string>();
  /** The console is told of each reason once, unless all is asked for; a logger of the application's own of everything. */
  const warn = (reason: string, ...message: unknown[]): void => {
    if (o.logger || debug || !said.has(reason)) logger.warn(...message);
    said.add(reason);
  };

  const queue: Item[] = [];
  let queuedBytes = 0;
  const underWay = new Set<Item[]>();
  const count = zero();
  /** Whether none of the first n events waits any longer. */
  const settled = (n: number): boolean => [...underWay, queue].every(([first]) => !first || first.nth > n);
  const watchers = new Set<() => void>();
  let timer: unknown;
  let pumping = false;
  let stopped = false;
  let plain = false; // the server takes no gzip
  let closing: Promise<Kept[]> | undefined;
  let wakeUp: (() => void) | undefined;

  /** Calls back the application, whose faults must not become ours. */
  const tell = (run: () => void): void => {
    try {
      run();
    } catch (error) {
      warn('callback', 'nimbus: a callback failed', error);
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
    if (items.length) warn(reason.code, `nimbus: ${items.length} ${kindOf(items[0])} dropped: ${reason.code}: ${reason.detail}`);
    for (const { name, json } of items) {
      // What a closed tracker could not deliver is for the next one.
      if (!stopped) spool?.remove(name);
      tell(() => onDrop?.(parse(json), reason));
    }
    changed();
  };

  const deliver = async (items: Item[], urgent?: boolean): Promise<void> => {
    const kind = kindOf(items[0]);
    const text = `${headOf(kind)}${items.map((item) => item.json).join()}]}`;
    let body: string | Uint8Array<ArrayBuffer> = text;
    const headers: Record<string, string> = { 'Content-Type': 'application/json' };
    if (!urgent && !plain && text.length > gzipAboveBytes && 'CompressionStream' in globalThis) {
      body = new Uint8Array(await new Response(new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer());
      headers['Content-Encoding'] = 'gzip';
    }
    let clockSet = false;
    const over = (): boolean => !underWay.has(items);
    for (let attempt = 1; !over(); attempt++) {
      const { status, body: reply, problem, wait: asked, date } = await request(paths[kind], body, headers, items.length);
      if (over()) return;
      if (status === 200 && reply && reply.accepted + reply.duplicates + reply.rejected === items.length) return settle(items, reply.errors);
      // A problem of Nimbus has a code. What else says 4xx is something in between (an ingress during a
      // deployment, a firewall, a login page), and says nothing about the events.
      const known = problem && reply?.code;
      const code = (known && reply?.code) || (status ? `http_${status}` : 'network_error');
      const detail = ((known || !status) && reply?.detail) || `no answer of Nimbus from ${o.url}${paths[kind]}`;
      if (status === 413 && items.length > 1) {
        const half = items.length >> 1;
        underWay.delete(items);
        const [first, second] = [items.slice(0, half), items.slice(half)];
        underWay.add(first).add(second);
        await deliver(first, urgent);
        return deliver(second, urgent);
      }
      if (status === 415 && body !== text) {
        plain = true;
        body = text;
        delete headers['Content-Encoding'];
        attempt--;
        continue;
      }
      if (code === 'stale_timestamp' && !clockSet && auth.setClock?.(date)) {
        clockSet = true;
        attempt--;
        continue;
      }
      // One event alone that is too large for whatever is on the way will stay too large.
      if (status === 413 || (known && status < 500 && status !== 408 && status !== 429)) return settle(items, reply?.errors, { code, detail });
      if (attempt >= maxAttempts) return settle(items, undefined, { code: 'max_attempts', detail: `${code}: ${detail}` });
      const wait = Math.max(random() * Math.min(retryMaxMs, retryBaseMs * 2 ** (attempt - 1)), asked);
      count.retries++;
      const message = `nimbus: ${code}: ${detail}; attempt ${attempt + 1} in ${Math.round(wait)} ms`;
      if (o.logger) logger.debug(message);
      else warn(code, message);
      await sleep(wait, over, !asked);
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
      warn(`rejected ${own[0]?.code}`, `nimbus: one of ${items.length} ${kindOf(item)} was rejected: ${own[0]?.code}: ${own[0]?.detail}`);
      spool?.remove(item.name);
      tell(() => onReject?.(parse(item.json), own));
    });
    if (failure) return drop(rest, failure);
    count.delivered += rest.length;
    if (rest.length) logger.debug(`nimbus: ${rest.length} ${kindOf(rest[0])} stored`);
    for (const { name } of rest) spool?.remove(name);
    changed();
  };

  const full = (bytes = 0): boolean => queue.length >= maxQueueEvents || (!!queue.length && queuedBytes + bytes > maxQueueBytes);
  const cut = (n: number): Item[] => {
    const items = queue.splice(0, n);
    for (const item of items) queuedBytes -= item.bytes + 1;
    return items;
  };

  /** Takes the next batches off the queue: as many items as one may have. */
  const take = (): Item[][] => {
    let n = 0;
    let bytes = overhead;
    while (n < queue.length && n < maxBatchEvents) {
      bytes += (queue[n] as Item).bytes + 1;
      // One event alone is sent whatever its size: the server decides.
      if (n && bytes - 1 > maxBatchBytes) break;
      n++;
    }
    const batches = split(cut(n));
    for (const batch of batches) underWay.add(batch);
    changed(); // there is room
    return batches;
  };

  /** Takes everything that waits; what is under way is broken off. */
  const takeAll = (): Item[] => {
    const items = [...underWay, cut(Infinity)].flat();
    underWay.clear();
    breakOff();
    return items.sort((a, b) => a.nth - b.nth);
  };

  const pump = async (): Promise<void> => {
    clock.clearTimeout(timer);
    timer = undefined;
    if (pumping) return;
    pumping = true;
    while (queue.length) for (const batch of take()) await deliver(batch);
    pumping = false;
  };

  const put = (json: string, name = ''): void => {
    if (debug) logger.debug(`nimbus: ${json}`);
    const bytes = size(json);
    while (full(bytes)) drop(cut(1), { code: 'queue_full', detail: 'the queue is full' });
    queue.push({ name, json, bytes, nth: ++count.tracked });
    queuedBytes += bytes + 1;
    if (queue.length >= maxBatchEvents || full() || overhead + queuedBytes > maxBatchBytes) void pump();
    else timer ??= clock.setTimeout(() => void pump(), flushIntervalMs);
  };

  const refuse = (code: TrackError['code'], message: string, error: unknown = new TrackError(code, message)): never => {
    count.refused++;
    warn(message, `nimbus: ${code}: ${message}`);
    throw error;
  };

  /** What the application makes of it before it is kept anywhere; empty when it is to be dropped. */
  const reviewed = (text: string): string => {
    let detail = '';
    try {
      const own = beforeSend?.(parse(text));
      // The kind stays in front, whatever was made of it.
      if (own) return JSON.stringify({ op: undefined, ...own });
    } catch (error) {
      detail = String(error); // what was to be taken out may still be in it
    }
    drop([{ name: '', json: text, bytes: 0, nth: ++count.tracked }], { code: 'before_send', detail });
    return '';
  };

  /** Takes what a call says into the queue; `make` is called at once. */
  const accept = (make: () => object, { ts = clock.now(), idempotencyKey = randomId(), signal }: OperationOptions): Promise<void> => {
    const run = async (): Promise<void> => {
      let text = '';
      let wrong: string | undefined;
      try {
        const time = typeof ts === 'string' ? ts : new Date(ts).toISOString();
        text = JSON.stringify({ ...make(), ts: time, idempotency_key: idempotencyKey });
        if (!closing && beforeSend) text = reviewed(text);
        if (!text) return;
        const mended = o.mend?.(text) ?? text;
        if (text !== mended) logger.debug('nimbus: repaired:');
        text = mended;
        // What is sent is checked, and not what it was made of: a Date, or anything with a toJSON, becomes something else.
        wrong = o.check?.(parse(text), size);
      } catch (error) {
        wrong = String(error);
      }
      if (wrong) return refuse('invalid_event', wrong);
      const bytes = size(text);
      if (!closing && onFull === 'error' && full(bytes)) refuse('queue_full', 'the queue is full');
      // Others that waited may have taken the room.
      while (onFull === 'block' && !closing && full(bytes)) {
        await until(() => !full(bytes) || closing, signal).catch((reason: unknown) => refuse('queue_full', 'aborted', reason));
      }
      if (closing) refuse('closed', 'the tracker is closed');
      put(text, spool?.add(text));
    };
    const done = run();
    done.catch(() => undefined); // a failure that nobody awaits must not end the program
    return done;
  };

  const core: Core = {
    track: (name, props, options = {}) =>
      accept(() => {
        const { userId, anonymousId, seq, context } = options;
        return { name, props: context ? { ...context, ...props } : (props ?? undefined), user_id: userId, anonymous_id: anonymousId, seq };
      }, options),
    operate: (op, what, options = {}) => accept(() => ({ op, user_id: options.userId, anonymous_id: options.anonymousId, group: options.group, ...what }), options),
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
      while (queue.length) for (const batch of take()) void deliver(batch, true);
    },
    wake: () => wakeUp?.(),
    discard: (reason) => drop(takeAll(), reason),
  };
  return core;
}
