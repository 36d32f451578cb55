'use client';
/**
 * React: a provider, and hooks that track. The tracker is made by `createBrowserTracker`, outside of every component: it does
 * nothing on a server, and a page has one.
 *
 * ```tsx
 * <NimbusProvider tracker={nimbus}><App /></NimbusProvider>
 *
 * const track = useTrack();
 * <button onClick={() => track('added_to_cart', { product })}>Add to cart</button>
 * ```
 *
 * What is tracked in an effect is tracked once under `StrictMode`, which runs effects twice.
 *
 * @packageDocumentation
 */
/* eslint-disable typescript/no-unnecessary-type-arguments, typescript/no-duplicate-type-constituents -- Events is the default in this file alone */
import { createContext, createElement, type FunctionComponent, type ReactElement, type ReactNode, useContext, useEffect, useRef } from 'react';
import type { BrowserTracker } from './browser.js';
import type { Args, EventMap } from './tracker/types.js';

/**
 * The types of an application's events, for all hooks; any event with any props unless an application says otherwise:
 *
 * ```ts
 * declare module '@nimbus-analytics/sdk/react' {
 *   interface Register { events: { added_to_cart: { product: string } } }
 * }
 * ```
 */
// eslint-disable-next-line typescript/no-empty-object-type -- applications add to it
export interface Register {}

type Events = Register extends { events: infer Own extends { [Name in keyof Own]: object } } ? Own : EventMap;

const Context = createContext<BrowserTracker<Events> | undefined>(undefined);

/** Gives a tracker to the hooks of everything below, and sends what waits when it is taken away. */
export function NimbusProvider<Own extends { [Name in keyof Own]: object }>({ tracker, children }: { tracker: BrowserTracker<Own>; children?: ReactNode }): ReactElement {
  // Not closed: the tracker is the application's, which may show this again, as StrictMode does at once.
  useEffect(() => () => void tracker.flush().catch(() => undefined), [tracker]);
  return createElement(Context.Provider, { value: tracker as unknown as BrowserTracker<Events> }, children);
}

/** The tracker of the page. Throws where no `NimbusProvider` is above: events would be lost without a word. */
export function useNimbus(): BrowserTracker<Events> {
  const tracker = useContext(Context);
  if (!tracker) throw new Error('nimbus: there is no <NimbusProvider> above this component');
  return tracker;
}

/** `track` of the tracker, which is the same at every render: for what happens in a handler. */
export const useTrack = (): BrowserTracker<Events>['track'] => useNimbus().track;

/** Tracks an event when the component is shown for the first time. */
export function useTrackOnMount<Name extends keyof Events & string>(name: Name, ...args: Args<Events[Name]>): void {
  const tracker = useNimbus();
  const tracked = useRef(false);
  useEffect(() => {
    if (tracked.current) return;
    tracked.current = true;
    void tracker.track(name, ...args);
  });
}

/**
 * Identifies the person, again when the id or the props change, which are compared by their JSON. No id after one was there is
 * somebody who has logged out: the next person must not be taken for them. Before the first id it does nothing.
 */
export function useIdentify(userId: string | number | null | undefined, props?: object): void {
  const tracker = useNimbus();
  const said = useRef<string>(undefined);
  useEffect(() => {
    const saying = userId === null || userId === undefined ? undefined : textOf([userId, props]);
    if (saying === said.current) return;
    said.current = saying;
    if (userId === null || userId === undefined) tracker.reset();
    else void tracker.identify(userId, props);
  });
}

/** JSON for a comparison; props that have none are refused by the tracker, which says so. */
function textOf(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return '';
  }
}

/**
 * Tracks a `$pageview` when the path changes, for routers: the tracker must be made with `pageViews: false`, or it tracks them
 * itself. The path says when; the event has the address and the title that the page has by then, and `props`, such as the
 * pattern of the route. A path that was left at once, by a redirect, is no view.
 */
export function usePageViews(path: string | null | undefined, props?: object): void {
  const tracker = useNimbus();
  useEffect(() => {
    if (path === null || path === undefined) return undefined;
    if (tracker.pageViews) {
      console.warn('nimbus: the tracker tracks page views itself: usePageViews needs one made with pageViews: false');
      return undefined;
    }
    // Later, when the page has its new title, and StrictMode has run this twice.
    const timer = setTimeout(() => void tracker.page(props));
    return () => clearTimeout(timer);
  }, [tracker, path]); // other props are no other view
}

/** What the hook of a router gives: `useLocation` of React Router and of TanStack Router, `usePathname` of Next. */
export type UsePath = () => { pathname: string } | string | null | undefined;

/** `usePageViews` with the hook of a router, once, in a component that every page has: `<PageViews of={useLocation} />`. */
export const PageViews: FunctionComponent<{ of: UsePath }> = ({ of: usePath }) => {
  const at = usePath();
  usePageViews(typeof at === 'object' ? at?.pathname : at);
  return null;
};
