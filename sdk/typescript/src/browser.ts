/**
 * The tracker of pages: everything `createTracker` does, and page views, sessions, people, consent, and events that
 * outlive the page.
 *
 * @packageDocumentation
 */
import { createCore, randomId } from './tracker/core.js';
import type { CommonOptions, EventMap, Tracker } from './tracker/types.js';

export { TrackError } from './tracker/types.js';
export type { Clock, CommonOptions, DropReason, EventMap, Logger, Tracker, TrackerStats, TrackOptions } from './tracker/types.js';

/** How to make the tracker of a page. */
export interface BrowserTrackerOptions extends CommonOptions {
  /** The server, such as `https://nimbus.example.com`; a path before `/v1` is kept. */
  baseUrl: string;
  /** The project the key belongs to. */
  projectId: string;
  /** A write key, `nw_…`. */
  writeKey: string;
  /** Track a `page_view` at load and whenever the path changes. Default true. */
  pageViews?: boolean | undefined;
  /** Store nothing in the browser: ids and waiting events live as long as the page. Default false. */
  cookieless?: boolean | undefined;
  /** Track nothing when the browser sends Global Privacy Control or Do Not Track. Default true. */
  respectPrivacySignals?: boolean | undefined;
  /** A session ends after so long without an event, in milliseconds. Default 1800000. */
  sessionTimeoutMs?: number | undefined;
}

/** The tracker of a page. Every event gets the ids of the person, and the prop `session_id`. */
export interface BrowserTracker<Events extends { [Name in keyof Events]: object } = EventMap> extends Tracker<Events> {
  /** Tracks a `page_view` with `page`, `url`, `title`, `referrer` and the `utm_` parameters; for pages tracked by hand. */
  page: (props?: Record<string, unknown>) => Promise<void>;
  /** Says who the person is; later events carry the id, also after a reload. Tracks `identify` with the traits. */
  identify: (userId: string, traits?: Record<string, unknown>) => Promise<void>;
  /** Forgets the person and begins a new session: for logging out. */
  reset: () => void;
  /** Stops tracking in every tab, forgets every id and every waiting event; lasts until `optIn`. */
  optOut: () => void;
  optIn: () => void;
}

/** Makes the tracker of a page; one per page is enough. */
export function createBrowserTracker<Events extends { [Name in keyof Events]: object } = EventMap>(options: BrowserTrackerOptions): BrowserTracker<Events> {
  const { baseUrl, projectId, writeKey, pageViews = true, cookieless, respectPrivacySignals = true, sessionTimeoutMs = 1_800_000, ...rest } = options;
  const prefix = `nimbus.${projectId}.`;

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
  /** The names of what waits: each event has an entry of its own, so that tabs never overwrite one another's. */
  const waiting = (): string[] => stored((s) => Object.keys(s).filter((name) => name.startsWith(`${prefix}e.`))) ?? [];
  const remove = (name: string): void => stored((s) => s.removeItem(name));

  const forbidden = (): boolean => {
    const { doNotTrack, globalPrivacyControl } = navigator as Navigator & { globalPrivacyControl?: boolean };
    return !!get('out') || (respectPrivacySignals && (globalPrivacyControl || doNotTrack === '1'));
  };

  const core = createCore({
    maxBatchEvents: 50,
    maxBatchBytes: 49_152, // what is under way when the page goes may be 64 KiB in all
    flushIntervalMs: 2000,
    maxQueueEvents: 1000,
    ...rest,
    url: `${baseUrl.replace(/\/+$/, '')}/v1/events`,
    projectId,
    credentials: { headers: () => ({ 'X-Write-Key': writeKey }) },
    keepalive: true,
    spool: {
      add: (json) => {
        const name = `${prefix}e.${randomId()}`;
        stored((s) => s.setItem(name, json));
        return name;
      },
      remove,
    },
  });

  /** An id that lasts; made when it is first needed, so that nobody who refused has one. */
  const anonymousId = (): string => {
    if (!get('anon')) set('anon', randomId());
    return get('anon') as string;
  };
  const sessionId = (): string => {
    const at = rest.clock?.now() ?? Date.now();
    const [id, last] = (get('session') ?? '').split(' ');
    const own = id && at - Number(last) <= sessionTimeoutMs ? id : randomId();
    set('session', `${own} ${at}`);
    return own;
  };

  // Not async: that would be another promise, whose failure is an unhandled one.
  const track: BrowserTracker['track'] = (name, props, own) => {
    if (forbidden()) return Promise.resolve();
    return core.track(name, { session_id: sessionId(), ...props }, { ...own, userId: own?.userId ?? get('user'), anonymousId: own?.anonymousId ?? anonymousId() });
  };

  let previous: string | undefined; // the page before, in a page that never reloads
  let current: string | undefined;
  const page: BrowserTracker['page'] = (props) => {
    const { origin, pathname, search } = location;
    const referrer = previous ?? document.referrer;
    previous = origin + pathname;
    current = pathname;
    const campaign = [...new URLSearchParams(search)].filter(([name]) => name.startsWith('utm_'));
    return track('page_view', { page: pathname, url: previous, title: document.title, referrer, ...Object.fromEntries(campaign), ...props });
  };
  const moved = (): void => {
    if (current !== location.pathname) void page();
  };

  /** Gives up what waits when the person has opted out, here or in another tab. */
  const heed = (): void => {
    if (get('out')) core.discard({ code: 'opted_out', detail: 'the person opted out' });
  };

  const gone = new AbortController();
  const on = (target: EventTarget, type: string, run: (event: Event) => void): void =>
    target.addEventListener(type, run, { signal: gone.signal });
  on(document, 'visibilitychange', () => document.visibilityState === 'hidden' && core.hurry());
  on(window, 'pagehide', core.hurry);
  on(window, 'online', core.wake);
  on(window, 'storage', heed);
  on(window, 'pageshow', heed); // the browser may have kept it where it heard of nothing
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
    on(window, 'pageshow', (event) => {
      if ((event as PageTransitionEvent).persisted) void page();
    });
    // A page that is rendered ahead has not been viewed. Calls kept from before the script was there come first.
    if ((document as Document & { prerendering?: boolean }).prerendering) on(document, 'prerenderingchange', moved);
    else queueMicrotask(moved);
  }

  // What earlier pages, or other tabs, could not deliver. Sending it twice is safe: every event has its key.
  if (!forbidden()) {
    for (const name of waiting()) {
      const json = stored((s) => s.getItem(name));
      if (json) core.adopt(json, name);
    }
  }

  const reset = (): void => ['user', 'anon', 'session'].forEach((name) => set(name));
  const tracker: BrowserTracker = {
    track,
    page,
    identify: (userId, traits) => {
      if (!forbidden()) set('user', userId || undefined);
      return track('identify', traits);
    },
    reset,
    optOut: () => {
      set('out', '1');
      reset();
      heed();
      waiting().forEach(remove);
    },
    optIn: () => set('out'),
    flush: core.flush,
    close: (how) => {
      gone.abort();
      return core.close(how);
    },
    stats: core.stats,
  };
  return tracker as BrowserTracker<Events>;
}
