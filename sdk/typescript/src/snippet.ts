import { type BrowserTracker, createBrowserTracker } from './browser.js';

// What `<script src="https://…/sdk.js" data-write-key="…" data-project="…">` runs. It is served by Nimbus and is no entry
// of the package. The calls kept in `nimbus.q` before it was there are made now, in their order.

const current = document.currentScript as HTMLScriptElement | null;
// A module is no current script, and neither is one that another script has built in.
// The names are in quotes because those of the options are shortened: see scripts/bundle.mjs.
const script = current?.dataset['writeKey'] ? current : document.querySelector<HTMLScriptElement>('script[data-write-key]');
const data = script?.dataset ?? {};
// Where the script came from, with the path that a proxy has put before it.
const from = /^(.+)\/sdk(\/\w+)?\.js|^\w+:\/\/[^/]+/.exec(script?.src ?? '');
const given = (name: string, otherwise = 'false'): boolean => (data[name] ?? otherwise) !== 'false';
const scope = window as unknown as { nimbus?: BrowserTracker & { q?: [string, ...unknown[]][] } };
const early = scope.nimbus?.q ?? [];
const tracker = createBrowserTracker({
  baseUrl: data['host'] ?? from?.[1] ?? from?.[0] ?? '',
  projectId: data['project'] ?? '',
  writeKey: data['writeKey'] ?? '',
  cookieless: given('cookieless'),
  hashRouting: given('hashRouting'),
  debug: given('debug'),
  pageViews: given('pageViews', ''),
});
scope.nimbus = tracker;
for (const [method, ...args] of early) (tracker as unknown as Record<string, (...args: unknown[]) => unknown>)[method]?.(...args);
