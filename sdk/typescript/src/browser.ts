/**
 * The tracker of pages: everything `createTracker` does, and page views, sessions, people, consent, and events that
 * outlive the page.
 *
 * @packageDocumentation
 */
import { mend } from './browser/mend.js';
import { createSpool } from './browser/spool.js';
import { type Base, beside } from './tracker/calls.js';
import { type CoreTrackOptions, createCore, zero } from './tracker/core.js';
import type { CommonOptions, EventMap, Queue, Visitor } from './tracker/types.js';
import { createVisitor } from './tracker/visitor.js';

export { TrackError } from './tracker/types.js';
export type { Calls, Clock, CommonOptions, DropReason, EventMap, Kept, Logger, OperationOptions, Queue, TrackerStats, TrackOptions, Visitor } from './tracker/types.js';

/** How to make the tracker of a page. */
export interface BrowserTrackerOptions extends CommonOptions {
  /** The server, such as `https://nimbus.example.com` or `/analytics`: it may be relative to the page; a path before `/v1` is kept. */
  baseUrl: string;
  /** The project the key belongs to. */
  projectId: string;
  /** A write key, `nw_…`. */
  writeKey: string;
  /** Track a `$pageview` at load and whenever the path changes. Default true. */
  pageViews?: boolean | undefined;
  /** Take a path behind the `#` of the address, such as `#/cart`, for a part of the page's path, as hash routers do. Default false. */
  hashRouting?: boolean | undefined;
  /** Store nothing in the browser: ids and waiting events live as long as the page. Default false. */
  cookieless?: boolean | undefined;
  /** Track nothing when the browser sends Global Privacy Control or Do Not Track. Default true. */
  respectPrivacySignals?: boolean | undefined;
  /** A session ends after so long without an event, in milliseconds. Default 1800000. */
  sessionTimeoutMs?: number | undefined;
}

/**
 * The tracker of a page, and the visitor who looks at it, over reloads and in all tabs. `page` tracks a `$pageview` with `page`,
 * `url`, `title`, `referrer` and the `utm_` parameters. What is no id (empty, `undefined`, `null`, `0`, `[object Object]`, …)
 * identifies nobody, and the person before is forgotten.
 */
export interface BrowserTracker<Events extends { [Name in keyof Events]: object } = EventMap> extends Visitor<Events>, Queue {
  /** Whether it tracks page views by itself. */
  readonly pageViews: boolean;
  /** Stops tracking in every tab, forgets every id and every waiting event; lasts until `optIn`. */
  optOut: () => void;
  optIn: () => void;
}

/**
 * Makes the tracker of a page; a page has one for each project, and gets the same one again.
 *
 * It never throws: where there is no page (on a server that renders it), and when the options are of no use, which the
 * console is told, the tracker does nothing.
 */
export function createBrowserTracker<Events extends { [Name in keyof Events]: object } = EventMap>(options: BrowserTrackerOptions): BrowserTracker<Events> {
  let tracker = idle;
  try {
    if (typeof document !== 'undefined') tracker = create(options);
  } catch (error) {
    console.warn('nimbus: nothing is tracked:', error);
  }
  return tracker;
}

const nothing = (): Promise<never[]> => Promise.resolve([]);
/** Has every call, and does nothing. */
const idle = {
  ...createVisitor({ track: nothing, operate: nothing } as unknown as Base, { get: () => undefined, set: () => undefined }, { allowed: () => false }),
  pageViews: false,
  flush: nothing,
  close: nothing,
  optOut: nothing,
  optIn: nothing,
  stats: zero,
} as unknown as BrowserTracker;

/** The address of the server, seen from the page. */
function resolve(baseUrl: string): string {
  // "nimbus.example.com" is a host whose scheme was left out, and no file beside the page.
  const scheme = /^[\w-]+(\.[\w-]+|:\d)/.test(baseUrl) ? '//' : ''; // the page's own
  return new URL(scheme + baseUrl.replace(/\/*$/, '/'), document.baseURI).href.slice(0, -1);
}

/** The trackers of the page, for all copies of this code: the script twice must not count twice. */
const trackers = ((globalThis as Record<symbol, unknown>)[Symbol.for('nimbus')] ??= new Map()) as Map<string, BrowserTracker>;

function create(options: BrowserTrackerOptions): BrowserTracker {
  const { baseUrl, projectId, writeKey, pageViews = true, hashRouting, cookieless, respectPrivacySignals = true, sessionTimeoutMs = 1_800_000, ...rest } = options;
  if (!projectId || !writeKey) throw new TypeError('projectId and writeKey are needed');
  const url = resolve(baseUrl);
  const prefix = `nimbus.${projectId}.`;
  const known = trackers.get(prefix + url);
  if (known) {
    console.warn('nimbus: this page has its tracker already');
    return known;
  }

  // The browser's storage may be full or forbidden; then the page's own memory has to do. It has only what the storage
  // did not take, so that what is forgotten in another tab is forgotten here too.
  const memory: Record<string, string | undefined> = {};
  const stored = <T>(use: (storage: Storage) => T): T | undefined => {
    try {
      return cookieless ? undefined : use(localStorage);
    } catch {
      return undefined;
    }
  };
  const get = (name: string): string | undefined => stored((s) => s.getItem(prefix + name)) ?? memory[name];
  const set = (name: string, value?: string): void => {
    memory[name] = value;
    stored((s) => {
      s.removeItem(prefix + name);
      if (value !== undefined) s.setItem(prefix + name, value);
      delete memory[name];
    });
  };
  const spool = createSpool(stored, `${prefix}e.`);

  const forbidden = (): boolean => {
    const { doNotTrack, globalPrivacyControl } = navigator as Navigator & { globalPrivacyControl?: boolean };
    return !!get('out') || (respectPrivacySignals && (globalPrivacyControl || doNotTrack === '1'));
  };

  const core = createCore({
    maxBatchEvents: 50,
    maxBatchBytes: 49_152, // what is under way when the page goes may be 64 KiB in all
    flushIntervalMs: 2000,
    maxQueueEvents: 1000,
    maxQueueBytes: 500_000,
    ...rest,
    url,
    projectId,
    auth: { headers: () => ({ 'X-Write-Key': writeKey }) },
    page: true,
    spool,
    mend,
  });

  const visitor = createVisitor(
    { track: (name, ...more) => core.track(nameOf(name), ...more), operate: core.operate },
    { get, set },
    { allowed: () => !forbidden(), sessionTimeoutMs, clock: rest.clock },
  );

  /** The path of the page, with that of a hash router. What follows a "?" is no part of it. */
  const here = (): string => location.pathname + (hashRouting && /^#!?\/[^?]*/.exec(location.hash)?.[0] || '');
  let previous: string | undefined; // the page before, in a page that never reloads
  let current: string | undefined;
  const page: BrowserTracker['page'] = (props, own) => {
    // The query of an address may hold secrets.
    const referrer = previous ?? document.referrer.split(/[?#]/)[0];
    current = here();
    previous = location.origin + current;
    const campaign = [...new URLSearchParams(location.search)].filter(([name]) => name.startsWith('utm_'));
    return visitor.page(props, beside<CoreTrackOptions>(own, { context: { page: current, url: previous, title: document.title, referrer, ...Object.fromEntries(campaign) } }));
  };
  const moved = (): void => {
    if (current !== here()) void page();
  };

  /** Gives up what waits when the person has opted out, here or in another tab. */
  const checkConsent = (): void => {
    if (get('out')) core.discard({ code: 'opted_out', detail: '' });
  };

  const gone = new AbortController();
  const on = (target: EventTarget, type: string, run: (event: Event) => void): void =>
    target.addEventListener(type, run, { signal: gone.signal });
  on(document, 'visibilitychange', () => document.visibilityState === 'hidden' && core.hurry());
  on(window, 'pagehide', core.hurry);
  on(window, 'online', core.wake);
  on(window, 'storage', checkConsent);
  on(window, 'pageshow', checkConsent); // a page that the browser had kept was told of nothing
  if (pageViews) {
    for (const method of ['pushState', 'replaceState'] as const) {
      const original = history[method];
      history[method] = function (...args) {
        original.apply(this, args);
        // Later, when the page has its new title.
        setTimeout(() => gone.signal.aborted || moved());
      };
    }
    on(window, 'popstate', moved);
    on(window, 'hashchange', moved);
    on(window, 'pageshow', (event) => {
      if ((event as PageTransitionEvent).persisted) void page();
    });
    // A page that is rendered ahead has not been viewed. Calls kept from before the script was there come first.
    if ((document as Document & { prerendering?: boolean }).prerendering) on(document, 'prerenderingchange', moved);
    else queueMicrotask(moved);
  }

  // What earlier pages, or other tabs, could not deliver. Sending it twice is safe: every event has its key.
  if (!forbidden()) {
    for (const name of spool.all().sort()) {
      const json = stored((s) => s.getItem(name));
      if (json) core.adopt(json, name);
    }
  }

  const tracker: BrowserTracker = {
    ...visitor,
    pageViews,
    page,
    optOut: () => {
      set('out', '1');
      visitor.reset();
      checkConsent();
      spool.all().forEach(spool.remove);
    },
    optIn: () => set('out'),
    flush: core.flush,
    close: (how) => {
      gone.abort();
      trackers.delete(prefix + url);
      return core.close(how);
    },
    stats: core.stats,
  };
  trackers.set(prefix + url, tracker);
  return tracker;
}

/** The name of an event as the server takes it, as far as it can be made one. */
// eslint-disable-next-line typescript/no-misused-spread -- code points are what the server counts
const nameOf = (name: unknown): string => [...(typeof name === 'string' ? name : '').replace(/\p{Cc}/gu, ' ')].slice(0, 200).join('');
