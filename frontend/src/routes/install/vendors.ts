/**
 * The SDKs of other vendors: what stands where a key and a host stand, and the code that makes the SDK, as its vendor writes it.
 * e2e/vendors.spec.ts runs each with the real SDK, and holds docs/compatibility.md to the same.
 */
import type { Dialect } from '@nimbus-analytics/sdk';
import { w } from './messages';
import type { Keys } from './snippets';
import type { Step, Way } from './ways';

/** A setting of the vendor's, in its words; without a value when there is none to show. */
export interface Field {
  label: string;
  value?: string | undefined;
}

export interface Vendor extends Way {
  /** How the server and the settings of a project call what it speaks. */
  dialect: Dialect;
  fields: (keys: Keys) => Field[];
}

/** What SDKs that take a host apart want: the host with its port, and the path below which Nimbus is, if there is one. */
function partsOf(url: string) {
  const { host, pathname, protocol } = new URL(url);
  return { host, path: pathname.replace(/\/$/, ''), plain: protocol === 'http:' };
}

const step = (title: string, code: string): Step => ({ title, code, wrap: true });
/** The options of a call, in the order given, without those that do not apply. */
const options = (...pairs: (string | false)[]) => `{ ${pairs.filter(Boolean).join(', ')} }`;

export const vendors: readonly Vendor[] = [
  {
    id: 'segment',
    label: 'Segment',
    key: 'write',
    dialect: 'segment',
    fields: ({ url, writeKey }) => [{ label: w.writeKey, value: writeKey }, { label: w.segmentHost, value: url }],
    steps: ({ url, writeKey }) => {
      const { path } = partsOf(url);
      return [
        step('@segment/analytics-node', `import { Analytics } from '@segment/analytics-node';

const analytics = new Analytics(${options(`writeKey: '${writeKey}'`, `host: '${url}'`, path !== '' && `path: '${path}/v1/batch'`)});`),
        step('@segment/analytics-next', `import { AnalyticsBrowser } from '@segment/analytics-next';

const analytics = AnalyticsBrowser.load({ writeKey: '${writeKey}', cdnURL: '${url}' });`),
      ];
    },
  },
  {
    id: 'rudderstack',
    label: 'RudderStack',
    key: 'write',
    dialect: 'segment',
    fields: ({ url, writeKey }) => [{ label: w.writeKey, value: writeKey }, { label: w.dataPlane, value: url }, { label: w.configUrl, value: url }],
    steps: ({ url, writeKey }) => [
      step('@rudderstack/rudder-sdk-node', `import Analytics from '@rudderstack/rudder-sdk-node';

const analytics = new Analytics('${writeKey}', { dataPlaneUrl: '${url}' });`),
    ],
  },
  {
    id: 'mixpanel',
    label: 'Mixpanel',
    key: 'write',
    dialect: 'mixpanel',
    fields: ({ url, writeKey, secret }) => [
      { label: w.token, value: writeKey },
      { label: w.apiHost, value: url },
      { label: w.apiHostOnly, value: partsOf(url).host },
      { label: w.apiSecret, value: secret },
    ],
    steps: ({ url, writeKey }) => {
      const { host, path, plain } = partsOf(url);
      return [
        step('mixpanel', `import Mixpanel from 'mixpanel';

const mixpanel = Mixpanel.init('${writeKey}', ${options(`host: '${host}'`, path !== '' && `path: '${path}'`, plain && "protocol: 'http'")});`),
        step('mixpanel-browser', `import mixpanel from 'mixpanel-browser';

mixpanel.init('${writeKey}', { api_host: '${url}' });`),
      ];
    },
  },
  {
    id: 'posthog',
    label: 'PostHog',
    key: 'write',
    dialect: 'posthog',
    fields: ({ url, writeKey }) => [{ label: w.projectKey, value: writeKey }, { label: w.posthogHost, value: url }],
    steps: ({ url, writeKey }) => [
      step('posthog-js', `import posthog from 'posthog-js';

posthog.init('${writeKey}', { api_host: '${url}' });`),
      step('posthog-node', `import { PostHog } from 'posthog-node';

const posthog = new PostHog('${writeKey}', { host: '${url}' });`),
    ],
  },
  {
    id: 'umami',
    label: 'Umami',
    key: 'write',
    dialect: 'umami',
    fields: ({ url, writeKey, writeKeyId }) => [{ label: w.websiteId, value: writeKey }, { label: w.websiteUuid, value: writeKeyId }, { label: w.umamiHost, value: url }],
    steps: ({ url, writeKey }) => [
      step('@umami/node', `import { Umami } from '@umami/node';

const umami = new Umami({ websiteId: '${writeKey}', hostUrl: '${url}' });`),
    ],
  },
  {
    id: 'plausible',
    label: 'Plausible',
    key: 'write',
    dialect: 'plausible',
    fields: ({ url, writeKey }) => [{ label: w.domain, value: writeKey }, { label: w.endpoint, value: `${url}/api/event` }],
    steps: ({ url, writeKey }) => [
      step('@plausible-analytics/tracker', `import { init } from '@plausible-analytics/tracker';

init({ domain: '${writeKey}', endpoint: '${url}/api/event' });`),
    ],
  },
];

/** The page that says what is the same, what differs, and how history comes along. */
export const moving = (label: string) => `https://github.com/bahagh/nimbus/blob/main/docs/compatibility.md#move-from-${label.toLowerCase()}`;
