/** Turns the state of an insight into the question for the server. */
import type { Bucket, FunnelBreakdown, Insight, Period, TrendsSeries, WeekStart } from '@nimbus-analytics/sdk';
import { autoBucket, bucketMs, buckets, fits, instantsOf, isClock, spanOf, type Range } from '../query/range';
import { usual, type FunnelState, type InsightState, type PathsState, type RetentionState, type TrendsState } from './state';
import { needsProp, seriesOf } from './trends';

/** The period that shows a range in some ten to fifty columns, or in some five to thirty rows of retention. */
export function periodOf(s: { kind: string; bucket?: Period } & Range): Period {
  if (s.bucket) return s.bucket;
  const days = spanOf(s) / bucketMs['1d'];
  if (days <= 2) return '1h';
  if (days <= (s.kind === 'retention' ? 15 : 45)) return '1d';
  return days <= 300 ? '1w' : '1mo';
}

/** How many values a row of retention has. */
export const valuesOf = (s: { kind: string; periods?: number; bucket?: Period } & Range): number => s.periods ?? Math.max(2, Math.min(13, Math.ceil(spanOf(s) / bucketMs[periodOf(s)]) + 1));

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;
/** The edges of the times to convert, in seconds, as far as the window goes. */
export const edgesOf = (window = usual.window): number[] => [minute, 5 * minute, 15 * minute, hour, 3 * hour, 12 * hour, day, 3 * day, 7 * day, 14 * day, 30 * day, 90 * day].filter((edge) => edge < window);

/** How many lines an answer may have: those of the whole, and of each group and the rest. */
export const linesOf = (s: Pick<TrendsState, 'series' | 'formulas' | 'by' | 'top'>): number => (seriesOf(s).length + (s.formulas?.length ?? 0)) * (s.by ? (s.top ?? usual.trendsTop) + 2 : 1);

/** Whether a series counts the people of several days, of which there is no part. */
const rolls = (s: Pick<TrendsState, 'series'>) => seriesOf(s).some((one) => one.rolling_days !== undefined);

/** The buckets of trends: those that were chosen, when one answer can hold them. */
export function bucketOf(s: Pick<TrendsState, 'series' | 'formulas' | 'by' | 'top' | 'bucket'> & Range): Bucket {
  const bucket = s.bucket && fits(s, s.bucket, linesOf(s)) ? s.bucket : autoBucket(s);
  return rolls(s) && isClock(bucket) ? '1d' : bucket;
}
/** The buckets that a range may have. */
export const bucketsOf = (s: Pick<TrendsState, 'series'>) => buckets.filter((b) => !rolls(s) || !isClock(b));

/** Whether a breakdown is by what people's profiles say, and not by their events. */
export const isByProfile = (by: string | undefined) => by?.startsWith('profile:') ?? false;
/** The name in a breakdown: of a property. */
export const byName = (by: string) => by.slice(by.indexOf(':') + 1);

/** The question as it is asked and saved: without its project. */
export function bodyOf(s: InsightState, now: number, week?: WeekStart): Insight {
  const common = {
    ...instantsOf(s, s.tz, now, week), tz: s.tz,
    ...(s.filter && { filter: s.filter }),
    ...(s.cohort && { people: { op: 'in' as const, cohort: s.cohort } }),
    ...(s.unit && { count_groups: s.unit }),
  };
  switch (s.kind) {
    case undefined:
      return { kind: 'trends', ...common, ...trends(s) };
    case 'funnel':
      return { kind: 'funnel', ...common, ...funnel(s) };
    case 'retention':
      return { kind: 'retention', ...common, ...retention(s) };
    case 'paths':
      return { kind: 'paths', ...common, ...paths(s) };
    case 'sessions':
      return { kind: 'sessions', ...common, bucket: periodOf(s), ...grouped(s) };
    default:
      return { kind: s.kind, ...common, ...(s.event !== undefined && { event: s.event }), bucket: periodOf(s), ...grouped(s) };
  }
}

const of = (by: string) => (isByProfile(by) ? { profile: byName(by) } : { prop: byName(by) });
const grouped = (s: { by?: string; top?: number }) => s.by && { breakdown: { ...of(s.by), top: s.top ?? usual.top } };

const trends = (s: TrendsState) => ({
  series: seriesOf(s),
  ...(s.formulas && { formulas: s.formulas.map(({ expression }) => ({ expression })) }),
  bucket: bucketOf(s),
  ...(s.by && { breakdown: [s.by === 'name' ? { by: 'name' as const } : { by: isByProfile(s.by) ? ('profile' as const) : ('prop' as const), prop: byName(s.by) }], top: s.top ?? usual.trendsTop }),
});

function funnel(s: FunnelState) {
  const breakdown: FunnelBreakdown | undefined = s.by
    ? { ...of(s.by), top: s.top ?? usual.top, ...(isByProfile(s.by) ? {} : s.of === 'last' ? { attribution: 'last' } : s.of !== undefined && { attribution: 'step', step: Math.min(s.of, s.steps.length) }) }
    : undefined;
  return {
    steps: s.steps,
    ...(s.window && { window_seconds: s.window }),
    ...(s.order && { order: s.order }),
    ...(s.attempt && { attempt: s.attempt }),
    ...(s.count && { count: s.count }),
    ...(s.exclude && { exclude: s.exclude }),
    ...(s.hold && { hold: s.hold }),
    ...(breakdown && { breakdown }),
    ...(s.view === 'time' && edgesOf(s.window).length > 0 && { histogram: { edges: edgesOf(s.window) } }),
    ...(s.view === 'series' && { bucket: periodOf(s) }),
  };
}

const retention = (s: RetentionState) => ({
  start: s.start,
  return: s.return,
  ...(s.starts && { cohort: s.starts }),
  ...(s.mode && { mode: s.mode }),
  ...(s.interval && { interval: s.interval }),
  periods: valuesOf(s),
  bucket: periodOf(s),
  ...grouped(s),
});

const paths = (s: PathsState) => ({
  ...(s.start && { start: s.start }),
  ...(s.end && { end: s.end }),
  ...(s.depth && { depth: s.depth }),
  ...(s.top && { top: s.top }),
  ...(s.count && { count: s.count }),
  ...(s.window && { window_seconds: s.window }),
  ...(s.node && { node_prop: s.node }),
  ...(s.exclude && { exclude: s.exclude }),
  ...(s.repeats && { collapse: false }),
  ...(s.by && { breakdown: { profile: byName(s.by), top: usual.top } }),
});

/** Whether a question can be asked: a funnel of several steps has none that is any event at all, and a sum is one of a property. */
export function isComplete(s: InsightState): boolean {
  if (s.kind === undefined) return seriesOf(s).every((one: TrendsSeries) => !needsProp(one.measure) || one.prop !== undefined);
  return s.kind !== 'funnel' || s.steps.length === 1 || s.steps.every((step) => step.any_of || step.event !== undefined || step.filter !== undefined);
}
