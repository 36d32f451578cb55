import { type BrowserTracker, createBrowserTracker } from './browser.js';

// What `<script src="https://…/sdk.js" data-write-key="…" data-project="…">` runs. It is served by Nimbus and is no entry
// of the package. The calls kept in `nimbus.q` before it was there are made now, in their order.
const script = document.currentScript as HTMLScriptElement | null;
const { writeKey, project, host, cookieless, pageViews } = script?.dataset ?? {};
const scope = window as unknown as { nimbus?: BrowserTracker & { q?: [string, ...unknown[]][] } };
if (script && writeKey && project) {
  const early = scope.nimbus?.q ?? [];
  const tracker = createBrowserTracker({
    baseUrl: host ?? new URL(script.src).origin,
    projectId: project,
    writeKey,
    cookieless: cookieless !== undefined && cookieless !== 'false',
    pageViews: pageViews !== 'false',
    logger: { debug: () => undefined, warn: (...args) => console.warn(...args) },
  });
  scope.nimbus = tracker;
  for (const [method, ...args] of early) (tracker as unknown as Record<string, (...args: unknown[]) => unknown>)[method]?.(...args);
} else {
  console.warn('nimbus: the script tag needs data-write-key and data-project');
}
