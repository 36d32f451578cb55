/** The state of an insight in the address: which kind of question, and what it asks. Invalid parts are dropped, never an error. */
import type { Anchor, Coordinate, CountOf, FunnelExclusion, FunnelStep, MetricsFilter, Period, Step, TrendsValue } from '@nimbus-analytics/sdk';
import { parseFilter } from '../query/filter';
import { parseRange, type Range } from '../query/range';
import { isZone, zonePref } from '../prefs';
import { clean, isObject, list, one, some, text, whole, type Fields } from '../lib/read';
import { parseStep, parseSteps, parseTrends, type TrendsFields } from './trends';

export const kinds = ['trends', 'funnel', 'retention', 'lifecycle', 'stickiness', 'paths', 'sessions'] as const;
export type Kind = (typeof kinds)[number];
export const periods = ['1h', '1d', '1w', '1mo'] as const satisfies readonly Period[];

interface Common extends Range {
  tz: string;
  filter?: MetricsFilter;
  /** The id of a saved cohort: only its people are asked about. */
  cohort?: string;
  /** The type of groups, such as `company`, that are counted in place of people. */
  unit?: string;
  /** The number whose people are shown. */
  at?: Coordinate;
  /** The saved insight that this question began as. */
  report?: string;
}
interface Grouped {
  /** `prop:` and the name of a property of events, or `profile:` and one of people; of trends also `name`, the event's. */
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
export interface ActivityState extends Common, Grouped {
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
  by?: string;
}
export interface SessionsState extends Common, Grouped {
  kind: 'sessions';
  bucket?: Period;
}
export type TrendsState = Common & Grouped & TrendsFields & { kind?: undefined };
export type InsightState = TrendsState | FunnelState | RetentionState | ActivityState | PathsState | SessionsState;
export const kindOf = (s: { kind?: Kind | undefined }): Kind => s.kind ?? 'trends';

export const usual = { window: 604_800, pathWindow: 2_592_000, top: 5, trendsTop: 10, depth: 5 };

const stepOf = (x: unknown): Step => (isObject(x) ? parseStep(x) : {});
function parseFunnelStep(x: unknown): FunnelStep {
  if (!isObject(x)) return {};
  return clean({ ...parseSteps(x, 20), optional: x['optional'] === true || undefined }) as FunnelStep;
}
function parseAnchor(x: unknown): Anchor | undefined {
  if (!isObject(x)) return undefined;
  const node = text(x['node'], 1000);
  const anchor: Anchor = node ? { node } : parseStep(x);
  return Object.keys(anchor).length > 0 ? anchor : undefined;
}

const isScalar = (x: unknown) => typeof x === 'string' || typeof x === 'number' || typeof x === 'boolean';
const parseValue = (x: unknown): TrendsValue | undefined =>
  isObject(x) ? (clean({ value: isScalar(x['value']) ? x['value'] : undefined, gte: typeof x['gte'] === 'number' ? x['gte'] : undefined, lt: typeof x['lt'] === 'number' ? x['lt'] : undefined }) as TrendsValue) : undefined;

function parseCoordinate(x: unknown): Coordinate | undefined {
  if (!isObject(x)) return undefined;
  const group = x['group'];
  const at = clean({
    step: whole(x['step'], 1, 20),
    row: whole(x['row'], 0, 10_000),
    period: whole(x['period'], 0, 10_000),
    state: one(['new', 'returning', 'resurrecting', 'dormant'], x['state']),
    node: text(x['node'], 1000),
    group: isScalar(group) ? group : undefined,
    series: whole(x['series'], 0, 9),
    groups: some(list(x['groups'], parseValue, 3)),
    ...Object.fromEntries(['lost', 'at_least', 'no_value', 'other'].map((name) => [name, x[name] === true || undefined])),
  }) as Coordinate;
  return at;
}

const isId = (x: unknown): x is string => typeof x === 'string' && /^[\da-f-]{36}$/i.test(x);
const isPeriod = (x: unknown) => one(periods, x);

/** By what an answer of a kind can be broken down: properties of events, those of people, the name of the event. */
export const breakdowns = { trends: ['prop', 'profile', 'name'], funnel: ['prop', 'profile'], retention: ['prop', 'profile'], sessions: ['prop', 'profile'], lifecycle: ['profile'], stickiness: ['profile'], paths: ['profile'] } as const satisfies Record<Kind, readonly string[]>;
function parseBy(kind: Kind, x: unknown): string | undefined {
  const by = text(x, 208);
  const [of, ...name] = by?.split(':') ?? [];
  return (breakdowns[kind] as readonly (string | undefined)[]).includes(of) && (of === 'name') === (name.length === 0) && name.join(':') !== (of === 'name' ? undefined : '') ? by : undefined;
}

export function parseInsight(s: Fields): InsightState {
  const kind = one(kinds, s['kind']) ?? 'trends';
  const common: Common = {
    ...parseRange(s, '30d'),
    ...clean({
      tz: isZone(s['tz']) ? s['tz'] : zonePref.get(),
      filter: parseFilter(s['filter']),
      cohort: isId(s['cohort']) ? s['cohort'] : undefined,
      unit: text(s['unit'], 64),
      at: parseCoordinate(s['at']),
      report: isId(s['report']) ? s['report'] : undefined,
    }),
  } as Common;
  const grouped = { by: parseBy(kind, s['by']), top: whole(s['top'], 1, 100, kind === 'trends' ? usual.trendsTop : usual.top) };
  const count = one(['totals', 'sessions'] as const, s['count']);
  switch (kind) {
    case 'trends':
      return clean({ ...common, ...grouped, ...parseTrends(s) }) as TrendsState;
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
        start: stepOf(s['start']), return: stepOf(s['return']),
        starts: s['starts'] === 'recurring' ? ('recurring' as const) : undefined,
        mode: one(['on_or_after', 'streak'] as const, s['mode']),
        interval: s['interval'] === 'rolling' ? ('rolling' as const) : undefined,
        periods: whole(s['periods'], 2, 100),
        bucket: isPeriod(s['bucket']),
      }) as RetentionState;
    case 'paths':
      return clean({
        kind, ...common, by: grouped.by,
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
      return clean({ kind, ...common, ...grouped, event: text(s['event']), bucket: isPeriod(s['bucket']), least: s['least'] === true || undefined }) as ActivityState;
  }
}
