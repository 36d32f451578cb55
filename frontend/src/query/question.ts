/** The questions of the overview: one measure of all events, over time. */
import type { MetricsQuery, MetricsResult } from '@nimbus-analytics/sdk';
import { untilNow, type Series } from '../charts/series';
import { knownProject } from '../hooks';
import { autoBucket, windowOf, type Range } from './range';

/** The day with which the weeks of a project begin. */
export const weekOf = (project_id: string) => knownProject(project_id)?.week_start;

export const measured = (project_id: string, measure: NonNullable<MetricsQuery['measure']>, range: Range, tz: string): MetricsQuery => ({ project_id, measure, tz, ...windowOf(range, autoBucket(range), tz, weekOf(project_id)) });

/** Whether the buckets of an answer add up to its total. */
export const isAdditive = ({ metric }: Pick<MetricsResult, 'metric'>) => metric === 'events.count';

/** The line of an answer, with that of the period before. */
export function lineOf(label: string, color: number, now: MetricsResult, before?: MetricsResult): Series {
  const of = (result: MetricsResult) => ({ times: result.series.map((p) => p.ts), values: result.series.map((p) => p.value) });
  const { times, values } = of(now);
  return {
    key: 'total', label, color, total: now.total,
    values: untilNow(times, values, now.meta.incomplete_from),
    ...(before && { before: of(before) }),
  };
}
