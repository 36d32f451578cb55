/** The state of an insight in the address: which kind of question, and what it asks. Invalid parts are dropped, never an error. */
import type { Anchor, Coordinate, CountOf, FunnelExclusion, FunnelStep, MetricsFilter, Period, Step } from '@nimbus-analytics/sdk';
import { parseFilter } from '../query/filter';
import { parseRange, type Range } from '../query/range';
import { parseExplore, type ExploreState } from '../query/search';
import { isZone, zonePref } from '../prefs';
import { clean, isObject, text, whole, type Fields } from '../lib/read';

export const kinds = ['trends', 'funnel', 'retention', 'lifecycle', 'stickiness', 'paths', 'sessions'] as const;
export type Kind = (typeof kinds)[number];
export const periods = ['1h', '1d', '1w', '1mo'] as const satisfies readonly Period[];

interface Common extends Range {
  tz: string;
  filter?: MetricsFilter;
  /** The id of a saved cohort: only its people are asked about. */
  cohort?: string;
  /** The number whose people are shown. */
  at?: Coordinate;
}
interface Grouped {
  /** `prop:` and the name of a property, as trends have it. */
  by?: string;
  top?: number;
}

export interface FunnelState extends Common, Grouped {
  kind: 'funnel';
  steps: FunnelStep[];
  /** In seconds; 7 days when absent. */
  window?: number;
  order?: 'strict' | 'any';
  attempt?: 'first';
  count?: Exclude<CountOf, 'users'>;
  exclude?: FunnelExclusion[];
  hold?: string[];
  /** Whose value an attempt has: the first among its steps when absent, the last, or that of one step, from 1. */
  of?: 'last' | number;
  view?: 'series' | 'time';
  bucket?: Period;
}
export interface RetentionState extends Common, Grouped {
  kind: 'retention';
  start: Step;
  return: Step;
  starts?: 'recurring';
  mode?: 'on_or_after' | 'streak';
  interval?: 'rolling';
  periods?: number;
  bucket?: Period;
}
export interface ActivityState extends Common {
  kind: 'lifecycle' | 'stickiness';
  event?: string;
  bucket?: Period;
  /** Of stickiness: in at least so many periods. */
  least?: boolean;
}
export interface PathsState extends Common {
  kind: 'paths';
  start?: Anchor;
  end?: Anchor;
  depth?: number;
  top?: number;
  count?: Exclude<CountOf, 'users'>;
  window?: number;
  /** The property that names nodes. */
  node?: string;
  exclude?: string[];
  /** Whether equal neighbours are nodes of their own. */
  repeats?: boolean;
}
export interface SessionsState extends Common, Grouped {
  kind: 'sessions';
  bucket?: Period;
}
export type TrendsState = ExploreState & { kind?: undefined };
export type BehaviourState = FunnelState | RetentionState | ActivityState | PathsState | SessionsState;
export type InsightState = TrendsState | BehaviourState;

export const usual = { window: 604_800, pathWindow: 2_592_000, top: 5, depth: 5 };

const one = <T extends string>(values: readonly T[], x: unknown) => values.find((v) => v === x);
const list = <T>(x: unknown, read: (item: unknown) => T | undefined, most: number): T[] => (Array.isArray(x) ? x.slice(0, most).map(read).filter((item) => item !== undefined) : []);
const some = <T>(items: T[]) => (items.length > 0 ? items : undefined);
function parseStep(x: unknown): Step {
  return isObject(x) ? clean({ event: text(x['event']), filter: parseFilter(x['filter']) }) as Step : {};
}
function parseFunnelStep(x: unknown): FunnelStep {
  if (!isObject(x)) return {};
  const several = list(x['any_of'], (item) => (isObject(item) ? parseStep(item) : undefined), 20);
  return clean({ ...(several.length > 0 ? { any_of: several } : parseStep(x)), optional: x['optional'] === true || undefined }) as FunnelStep;
}
function parseAnchor(x: unknown): Anchor | undefined {
  if (!isObject(x)) return undefined;
  const node = text(x['node'], 1000);
  const anchor: Anchor = node ? { node } : parseStep(x);
  return Object.keys(anchor).length > 0 ? anchor : undefined;
}

function parseCoordinate(x: unknown): Coordinate | undefined {
  if (!isObject(x)) return undefined;
  const group = x['group'];
  const at = clean({
    step: whole(x['step'], 1, 20),
    row: whole(x['row'], 0, 10_000),
    period: whole(x['period'], 0, 10_000),
    state: one(['new', 'returning', 'resurrecting', 'dormant'], x['state']),
    node: text(x['node'], 1000),
    group: typeof group === 'string' || typeof group === 'number' || typeof group === 'boolean' ? group : undefined,
    ...Object.fromEntries(['lost', 'at_least', 'no_value', 'other'].map((name) => [name, x[name] === true || undefined])),
  }) as Coordinate;
  return at;
}

const propOf = (x: unknown) => (text(x)?.match(/^prop:./) ? (x as string) : undefined);
const isPeriod = (x: unknown) => one(periods, x);

export function parseInsight(s: Fields): InsightState {
  const kind = one(kinds, s['kind']) ?? 'trends';
  if (kind === 'trends') return parseExplore(s);
  const common: Common = { ...parseRange(s, '30d'), ...clean({ tz: isZone(s['tz']) ? s['tz'] : zonePref.get(), filter: parseFilter(s['filter']), cohort: typeof s['cohort'] === 'string' && /^[\da-f-]{36}$/i.test(s['cohort']) ? s['cohort'] : undefined, at: parseCoordinate(s['at']) }) } as Common;
  const grouped = { by: propOf(s['by']), top: whole(s['top'], 1, 100, usual.top) };
  const count = one(['totals', 'sessions'] as const, s['count']);
  switch (kind) {
    case 'funnel': {
      const steps = list(s['steps'], parseFunnelStep, 20);
      const of = one(['last'] as const, s['of']) ?? whole(s['of'], 1, 20);
      return clean({
        kind, ...common, ...grouped,
        steps: steps.length > 0 ? steps : [{}, {}],
        window: whole(s['window'], 1, 31_622_400, usual.window),
        order: one(['strict', 'any'] as const, s['order']),
        attempt: s['attempt'] === 'first' ? ('first' as const) : undefined,
        count,
        exclude: some(list(s['exclude'], (x) => (isObject(x) ? (clean({ ...parseStep(x), from: whole(x['from'], 1, 20), to: whole(x['to'], 2, 20) }) as FunnelExclusion) : undefined), 32)),
        hold: some(list(s['hold'], (x) => text(x), 3)),
        of,
        view: one(['series', 'time'] as const, s['view']),
        bucket: isPeriod(s['bucket']),
      }) as FunnelState;
    }
    case 'retention':
      return clean({
        kind, ...common, ...grouped,
        start: parseStep(s['start']), return: parseStep(s['return']),
        starts: s['starts'] === 'recurring' ? ('recurring' as const) : undefined,
        mode: one(['on_or_after', 'streak'] as const, s['mode']),
        interval: s['interval'] === 'rolling' ? ('rolling' as const) : undefined,
        periods: whole(s['periods'], 2, 100),
        bucket: isPeriod(s['bucket']),
      }) as RetentionState;
    case 'paths':
      return clean({
        kind, ...common,
        start: parseAnchor(s['start']), end: parseAnchor(s['end']),
        depth: whole(s['depth'], 2, 10, usual.depth),
        top: whole(s['top'], 1, 50, usual.top),
        count,
        window: whole(s['window'], 1, 31_622_400, usual.pathWindow),
        node: text(s['node']),
        exclude: some(list(s['exclude'], (x) => text(x, 1000), 50)),
        repeats: s['repeats'] === true || undefined,
      }) as PathsState;
    case 'sessions':
      return clean({ kind, ...common, ...grouped, bucket: isPeriod(s['bucket']) }) as SessionsState;
    default:
      return clean({ kind, ...common, event: text(s['event']), bucket: isPeriod(s['bucket']), least: s['least'] === true || undefined }) as ActivityState;
  }
}

/** The events that a question names, in its order. */
export function eventsOf(s: InsightState): Step[] {
  const named = (steps: (Step | Anchor | undefined)[]) => steps.filter((x): x is Step => x !== undefined && 'event' in x && x.event !== undefined);
  switch (s.kind) {
    case undefined:
      return (s.names ?? []).map((event) => ({ event }));
    case 'funnel':
      return named(s.steps.flatMap(({ event, filter, any_of }) => any_of ?? [clean({ event, filter }) as Step]));
    case 'retention':
      return named([s.start, s.return]);
    case 'paths':
      return named([s.start, s.end]);
    case 'sessions':
      return [];
    default:
      return named([s.event === undefined ? undefined : { event: s.event }]);
  }
}

/** The question as another kind: the range, the zone, the conditions, the cohort and the events stay, and the breakdown and the period where both have them. */
export function asKind(s: InsightState, kind: Kind): InsightState {
  const events = eventsOf(s);
  const [first, second] = events;
  const names = [...new Set(events.map((step) => step.event!))];
  const only = names.length === 1 ? names[0] : undefined;
  return parseInsight({
    kind,
    ...clean({ range: s.range, from: s.from, to: s.to, tz: s.tz, filter: s.filter, cohort: s.kind && s.cohort, by: 'by' in s ? s.by : undefined, bucket: 'bucket' in s ? s.bucket : undefined }),
    ...(kind === 'trends' && { names, ...(names.length > 1 && !('by' in s && s.by) && { by: 'name' }) }),
    ...(kind === 'funnel' && { steps: events.length > 1 ? events : [events[0] ?? {}, {}] }),
    ...(kind === 'retention' && { start: first, return: second }),
    ...(kind === 'paths' && { start: first }),
    ...((kind === 'lifecycle' || kind === 'stickiness') && { event: only }),
  });
}
