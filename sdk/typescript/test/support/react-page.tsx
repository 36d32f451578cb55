// An application with each router, and small ones for the other hooks, which test/react.test.ts runs in a browser. React is in
// its development mode, in which StrictMode runs every effect twice.
import { createBrowserHistory, createRootRoute, createRoute, createRouter, Outlet as TanStackOutlet, redirect, RouterProvider as TanStackProvider, useLocation as useTanStackLocation } from '@tanstack/react-router';
import { act, type ReactNode, StrictMode, Suspense, use, useSyncExternalStore } from 'react';
import { createRoot, hydrateRoot } from 'react-dom/client';
import { createBrowserRouter, Navigate, Outlet, RouterProvider, useLocation } from 'react-router';
import { type BrowserTracker, type BrowserTrackerOptions, createBrowserTracker } from '../../src/browser.js';
import { NimbusProvider, PageViews, useIdentify, useNimbus, usePageViews, useTrack, useTrackOnMount } from '../../src/react.js';
import { recordingTransport } from '../../src/testing.js';

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
const warnings: string[] = [];
console.warn = (...args) => void warnings.push(args.join(' '));
console.error = (...args) => void warnings.push(args.join(' '));

const transport = recordingTransport();
const tracked = (options: Partial<BrowserTrackerOptions> = {}): BrowserTracker =>
  createBrowserTracker({ baseUrl: 'https://nimbus.example', projectId: 'p', writeKey: 'nw', fetch: transport.fetch, flushIntervalMs: 3_600_000, pageViews: false, ...options });

const element = (): HTMLElement => document.getElementById('root') as HTMLElement;

/** Shows an application under StrictMode; what it gives back shows another in its place, or takes it away. */
async function show(app: ReactNode): Promise<(next: ReactNode) => Promise<void>> {
  const root = createRoot(element());
  const render = (next: ReactNode) => act(async () => (next === undefined ? root.unmount() : root.render(<StrictMode>{next}</StrictMode>)));
  await render(app);
  return render;
}

/** After the timers that are due by now. */
const timers = () => new Promise((resolve) => setTimeout(resolve));

const Page = ({ name }: { name: string }) => (
  <>
    <title>{name}</title>
    <h1>{name}</h1>
  </>
);

/** The store of an application without a router; Next's usePathname gives a path in the same way. */
const moved = new Set<() => void>();
const subscribe = (run: () => void) => {
  moved.add(run);
  addEventListener('popstate', run);
  return () => {
    moved.delete(run);
    removeEventListener('popstate', run);
  };
};
const usePathname = (): string => useSyncExternalStore(subscribe, () => location.pathname, () => '/');

/** Each has `/`, `/a`, `/b`, and `/old`, which leads to `/b`; it says what to show and how to go somewhere. */
const routers: Record<string, () => { app: ReactNode; go: (to: string) => unknown }> = {
  'React Router': () => {
    const Root = () => (
      <>
        <PageViews of={useLocation} />
        <Outlet />
      </>
    );
    const children = ['/', '/a', '/b'].map((path) => ({ path, element: <Page name={path} /> }));
    const router = createBrowserRouter([{ element: <Root />, children: [...children, { path: '/old', element: <Navigate to="/b" replace /> }] }]);
    return { app: <RouterProvider router={router} />, go: (to) => router.navigate(to) };
  },
  'TanStack Router': () => {
    const root = createRootRoute({
      component: () => (
        <>
          <PageViews of={useTanStackLocation} />
          <TanStackOutlet />
        </>
      ),
    });
    const pages = ['/', '/a', '/b'].map((path) => createRoute({ getParentRoute: () => root, path, component: () => <Page name={path} /> }));
    const old = createRoute({
      getParentRoute: () => root,
      path: '/old',
      beforeLoad: () => {
        // eslint-disable-next-line typescript/only-throw-error -- the way of this router
        throw redirect({ to: '/b', replace: true });
      },
    });
    const router = createRouter({ routeTree: root.addChildren([...pages, old]), history: createBrowserHistory() });
    return { app: <TanStackProvider router={router} />, go: (to) => router.navigate({ to }) };
  },
  'a hook that gives a path': () => {
    const go = (to: string) => {
      history.pushState({}, '', to === '/old' ? '/b' : to);
      moved.forEach((run) => run());
    };
    const App = () => {
      const path = usePathname();
      usePageViews(path, { route: `the page ${path}` });
      return <Page name={path} />;
    };
    return { app: <App />, go };
  },
};

/** Goes through an application, and says which pages were viewed, with their titles. */
async function walk(name: string, options?: Partial<BrowserTrackerOptions>) {
  const { app, go } = (routers[name] as (typeof routers)[string])();
  const tracker = tracked(options);
  await show(<NimbusProvider tracker={tracker}>{app}</NimbusProvider>);
  await timers();
  for (const to of ['/a', '/a', '/old', '/a']) {
    // eslint-disable-next-line eslint/no-await-in-loop -- one page after another
    await act(async () => void (await go(to)));
    // eslint-disable-next-line eslint/no-await-in-loop
    await timers();
  }
  await tracker.flush();
  return { views: transport.events.filter((e) => e.name === '$pageview').map(({ props = {} }) => [props['page'], props['title'], props['route']]), warnings };
}

/** A person who logs in, changes, logs out, and is followed by another. */
async function people() {
  const tracker = tracked();
  const Person = ({ id, plan }: { id?: number | string | null; plan?: unknown }) => {
    useIdentify(id, { plan });
    return null;
  };
  const app = (person: ReactNode) => <NimbusProvider tracker={tracker}>{person}</NimbusProvider>;
  const render = await show(app(<Person />));
  const anonymous = [tracker.getAnonymousId()];
  const steps = [<Person id="u1" plan="free" />, <Person id="u1" plan="free" />, <Person id="u1" plan={{ deep: ['pro'] }} />, <Person id="u1" plan={10n} />, <Person id={null} />, <Person />, <Person id={2} plan="free" />];
  for (const step of steps) {
    // eslint-disable-next-line eslint/no-await-in-loop -- one after another
    await render(app(step));
    anonymous.push(tracker.getAnonymousId());
  }
  await tracker.flush();
  const nth = [...new Set(anonymous)];
  return { operations: transport.operations.map((o) => [o.user_id, nth.indexOf(o.anonymous_id), o.props]), anonymous: anonymous.map((id) => nth.indexOf(id)) };
}

/** Events of effects, of handlers, in a component that is suspended at first, and of one whose provider goes. */
async function events() {
  const tracker = tracked();
  let loaded = (): void => undefined;
  const loading = new Promise<void>((resolve) => (loaded = resolve));
  const same = new Set<unknown>();
  const Late = () => {
    const track = useTrack();
    same.add(track);
    useTrackOnMount('shown', { where: 'late' });
    use(loading);
    return <button onClick={() => void track('pressed', { by: 'hand' })}>Press</button>;
  };
  const render = await show(<NimbusProvider tracker={tracker}><Suspense fallback="…"><Late /></Suspense></NimbusProvider>);
  const before = tracker.stats().tracked;
  await act(async () => loaded());
  await act(async () => document.querySelector('button')?.click());
  const delivered = tracker.stats().delivered;
  await render(undefined); // the page goes on without it, and what waits is sent
  // eslint-disable-next-line eslint/no-await-in-loop -- until it is so, or the test has waited long enough
  for (let turns = 0; turns < 10_000 && !tracker.stats().delivered; turns++) await timers();
  return { before, delivered, events: transport.events.map((e) => [e.name, e.props?.['where'] ?? e.props?.['by']]), same: same.size, stats: tracker.stats() };
}

/** What a server has rendered is taken over: one view. */
async function hydrate(html: string) {
  element().innerHTML = html;
  const tracker = tracked();
  const App = () => {
    const path = usePathname();
    usePageViews(path);
    useTrackOnMount('shown');
    return <h1>{path}</h1>;
  };
  await act(async () => void hydrateRoot(element(), <StrictMode><NimbusProvider tracker={tracker}><App /></NimbusProvider></StrictMode>));
  await timers();
  await tracker.flush();
  return { events: transport.events.map((e) => e.name), warnings };
}

/** A component without a provider: what it throws. */
async function alone() {
  const Lost = () => <>{useNimbus().stats().tracked}</>;
  return show(<Lost />).then(
    () => 'nothing',
    (error: unknown) => String(error),
  );
}

const scenarios = { walk, people, events, hydrate, alone };
Object.assign(window, { scenarios });
export type Scenarios = typeof scenarios;
