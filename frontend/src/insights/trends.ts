/** What only trends have in their address: series, formulas over them, a comparison, and how the answer is drawn. */
import type { Bucket, Step, TrendsMeasure, TrendsSeries } from '@nimbus-analytics/sdk';
import { clean, isObject, list, one, some, text, whole, type Fields } from '../lib/read';
import { parseFilter } from '../query/filter';
import { buckets, isInstant, parseRange, type Range } from '../query/range';

export const charts = ['line', 'area', 'bar', 'table', 'number'] as const;
export type Chart = (typeof charts)[number];

/** Measures of a number, which `prop` names. */
const ofNumbers = ['sum', 'avg', 'min', 'max', 'p50', 'p90', 'p95', 'p99'] as const;
export const measures = ['count', 'users', 'per_person_avg', 'per_person_p50', 'per_person_p90', ...ofNumbers] as const satisfies readonly TrendsMeasure[];
export const needsProp = (measure: TrendsMeasure | undefined) => (ofNumbers as readonly (string | undefined)[]).includes(measure);

export interface Formula {
  expression: string;
  percent?: true;
}

export interface TrendsFields {
  /** One of all events when absent. */
  series?: TrendsSeries[];
  formulas?: Formula[];
  /** The letters of the series that are not drawn, such as those that only a formula needs. */
  hidden?: string;
  /** With what the range is compared: the period before it, the same a year before, or as long a one from an instant on. */
  compare?: true | 'year' | (string & {});
  bucket?: Bucket;
  chart?: Chart;
  /** The key of the one line that is shown. */
  only?: string;
  /** The range before the first zoom, as it stands in `range`, or as two instants with a slash between. */
  unzoom?: string;
}

export const mostSeries = 10;
export const letter = (i: number) => String.fromCharCode(65 + i);
export const seriesOf = (s: Pick<TrendsFields, 'series'>): TrendsSeries[] => s.series ?? [{}];
/** A formula has a letter too, after those of the series. */
export const isHidden = (s: Pick<TrendsFields, 'hidden'>, i: number) => s.hidden?.includes(letter(i)) ?? false;
const lettersOf = (hidden: string | undefined) => hidden?.split('') ?? [];
export const hiding = (letters: readonly string[]) => [...new Set(letters)].sort().join('') || undefined;

/** Which letters are hidden when one is turned: shown where it was hidden. */
export const turned = (hidden: string | undefined, i: number) => (hidden?.includes(letter(i)) ? hiding(lettersOf(hidden).filter((l) => l !== letter(i))) : hiding([...lettersOf(hidden), letter(i)]));
/** When one goes, those behind it move up; when one comes, they move down. */
export const withoutLetter = (hidden: string | undefined, i: number) => hiding(lettersOf(hidden).filter((l) => l !== letter(i)).map((l) => (l > letter(i) ? String.fromCharCode(l.charCodeAt(0) - 1) : l)));
export const withLetter = (hidden: string | undefined, i: number) => hiding(lettersOf(hidden).map((l) => (l >= letter(i) ? String.fromCharCode(l.charCodeAt(0) + 1) : l)));
/** A quotient is of another size than what it is of: the series of a formula are hidden beside it. */
export const withFormula = (hidden: string | undefined, { expression }: Formula) => hiding([...lettersOf(hidden), ...(expression.match(/[A-J]/g) ?? [])]);

export const parseStep = (x: Fields): Step => clean({ event: text(x['event']), filter: parseFilter(x['filter']) }) as Step;
/** What is any of several events, so many at most, or one. */
export function parseSteps(x: Fields, most: number): { any_of: Step[] } | Step {
  const several = list(x['any_of'], (item) => (isObject(item) ? parseStep(item) : undefined), most);
  return several.length > 0 ? { any_of: several } : parseStep(x);
}
function parseSeries(x: unknown): TrendsSeries | undefined {
  if (!isObject(x)) return undefined;
  const measure = one(measures, x['measure']);
  const rolling = measure === 'users' ? whole(x['rolling_days'], 1, 366) : undefined;
  return clean({
    ...parseSteps(x, 10),
    measure: measure === 'count' ? undefined : measure,
    prop: needsProp(measure) ? text(x['prop']) : undefined,
    first_time: (rolling === undefined && x['first_time'] === true) || undefined,
    cumulative: (rolling === undefined && [undefined, 'count', 'users', 'sum'].includes(measure) && x['cumulative'] === true) || undefined,
    rolling_days: rolling,
  }) as TrendsSeries;
}

const parseFormula = (x: unknown): Formula | undefined => {
  const expression = isObject(x) ? text(x['expression']) : undefined;
  return expression === undefined ? undefined : (clean({ expression, percent: (x as Fields)['percent'] === true || undefined }) as Formula);
};

/** Links of before named events and one measure of them: several were series of their own when they were broken down by name. */
function named(s: Fields): { series?: TrendsSeries[]; by?: undefined } {
  const names = [...new Set(list(s['names'], (x) => text(x), mostSeries))];
  const of = (events: object) => parseSeries({ ...events, measure: s['measure'], prop: s['prop'] })!;
  if (names.length > 1 && s['by'] === 'name') return { series: names.map((event) => of({ event })), by: undefined };
  const all = of(names.length > 1 ? { any_of: names.map((event) => ({ event })) } : { event: names[0] });
  return Object.keys(all).length > 0 ? { series: [all] } : {};
}

export function parseTrends(s: Fields): TrendsFields & { by?: undefined } {
  const series = some(list(s['series'], parseSeries, mostSeries));
  const compare = s['compare'];
  const usual = series?.length === 1 && Object.keys(series[0]!).length === 0;
  return {
    ...(series ? { series: usual ? undefined : series } : named(s)),
    ...clean({
      formulas: some(list(s['formulas'], parseFormula, mostSeries)),
      hidden: typeof s['hidden'] === 'string' && /^[A-T]{1,20}$/.test(s['hidden']) ? s['hidden'] : undefined,
      compare: compare === true || compare === 'year' || isInstant(compare) ? compare : undefined,
      bucket: one(buckets, s['bucket']),
      chart: one(charts.slice(1), s['chart']),
      only: typeof s['only'] === 'string' && s['only'].length <= 2000 ? s['only'] : undefined,
      unzoom: typeof s['unzoom'] === 'string' && parseZoomedFrom(s['unzoom']) ? s['unzoom'] : undefined,
    }),
  } as TrendsFields;
}

/** The range to go back to from a zoom. */
function parseZoomedFrom(text: string): Range | undefined {
  const [from, to] = text.split('/');
  const range = parseRange(to === undefined ? { range: text } : { from, to }, '');
  return range.range === '' ? undefined : range;
}

type Zoom = Range & Pick<TrendsFields, 'unzoom'>;
/** The part of the state that a zoom changes: the first range is kept, however often one zooms further. */
export const zoomed = (s: Zoom, to: { from: string; to: string }) => ({ range: undefined, bucket: undefined, at: undefined, unzoom: s.unzoom ?? s.range ?? `${s.from}/${s.to}`, ...to });
export const unzoomed = (s: Zoom) => ({ range: undefined, from: undefined, to: undefined, bucket: undefined, at: undefined, unzoom: undefined, ...(s.unzoom && parseZoomedFrom(s.unzoom)) });
