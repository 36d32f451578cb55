/** The state of a question in the address. Invalid parts are dropped, never an error. */
import { Measure, type Bucket, type MetricsFilter } from '@nimbus-analytics/sdk';
import { isZone, zonePref } from '../prefs';
import { parseFilter } from './filter';
import { buckets, parseRange, type Range } from './range';
import { clean, text } from '../lib/read';

export const charts = ['line', 'area', 'bar', 'table', 'number'] as const;
export type Chart = (typeof charts)[number];
export const measures = Object.values(Measure);

export interface ExploreState extends Range {
  names?: string[];
  measure?: Measure;
  prop?: string;
  /** `name`, or `prop:` and the name of a property. */
  by?: string;
  top?: number;
  filter?: MetricsFilter;
  bucket?: Bucket;
  tz: string;
  compare?: boolean;
  chart?: Chart;
  /** The key of the one series that is shown. */
  only?: string;
  /** The range before the first zoom, as it stands in `range`, or as two instants with a slash between. */
  unzoom?: string;
  /** The saved report that this question began as. */
  report?: string;
}

/** How many groups of a breakdown are shown by default; the others are summed up as “Other”. */
export const usualTop = 10;
const isTop = (x: unknown): x is number => Number.isInteger(x) && (x as number) >= 1 && (x as number) <= 100;

export function parseExplore(s: Record<string, unknown>): ExploreState {
  const names = (Array.isArray(s['names']) ? s['names'] : []).map((x) => text(x)).filter((x) => x !== undefined);
  const by = text(s['by']);
  return clean({
    ...parseRange(s, '30d'),
    names: names.length > 0 ? [...new Set(names)].slice(0, 50) : undefined,
    measure: oneOf(measures, s['measure'], 'count'),
    prop: text(s['prop']),
    by: by === 'name' || by?.match(/^prop:./) ? by : undefined,
    top: isTop(s['top']) && s['top'] !== usualTop ? s['top'] : undefined,
    filter: parseFilter(s['filter']),
    bucket: oneOf(buckets, s['bucket']),
    tz: isZone(s['tz']) ? s['tz'] : zonePref.get(),
    compare: s['compare'] === true || undefined,
    chart: oneOf(charts, s['chart'], 'line'),
    only: typeof s['only'] === 'string' && s['only'].length <= 2000 ? s['only'] : undefined,
    unzoom: typeof s['unzoom'] === 'string' && parseZoomedFrom(s['unzoom']) ? s['unzoom'] : undefined,
    report: typeof s['report'] === 'string' && /^[\da-f-]{36}$/i.test(s['report']) ? s['report'] : undefined,
  });
}

/** The range to go back to from a zoom. */
export function parseZoomedFrom(text: string): Range | undefined {
  const [from, to] = text.split('/');
  const range = parseRange(to === undefined ? { range: text } : { from, to }, '');
  return range.range === '' ? undefined : range;
}

/** The part of the state that a zoom changes: the first range is kept, however often one zooms further. */
export const zoomed = (s: ExploreState, to: { from: string; to: string }) => ({ range: undefined, bucket: undefined, unzoom: s.unzoom ?? s.range ?? `${s.from}/${s.to}`, ...to });
export const unzoomed = (s: ExploreState) => ({ range: undefined, from: undefined, to: undefined, bucket: undefined, unzoom: undefined, ...(s.unzoom && parseZoomedFrom(s.unzoom)) });

/** One of these values; the default is left out, so that addresses stay short. */
function oneOf<T extends string>(values: readonly T[], x: unknown, usual?: T): T | undefined {
  const found = values.find((v) => v === x);
  return found === usual ? undefined : found;
}
