/** From the state in the address to the question for the server, and from its answer to what a chart draws. */
import type { Bucket, MetricsQuery, MetricsResult } from '@nimbus-analytics/sdk';
import type { Series } from '../../charts/TimeChart';
import { m } from '../../messages';
import { autoBucket, fits, windowOf } from './range';
import type { ExploreState } from './search';

export const needsProp = (measure: MetricsQuery['measure']) => measure !== undefined && measure !== 'count' && measure !== 'users';

export const bucketOf = (s: ExploreState): Bucket => (s.bucket && fits(s, s.bucket) ? s.bucket : autoBucket(s));

/** The question, or nothing while it lacks the property to measure. */
export function questionOf(s: ExploreState, project_id: string): MetricsQuery | undefined {
  if (needsProp(s.measure) && !s.prop) return undefined;
  return {
    project_id,
    ...windowOf(s, bucketOf(s)),
    tz: s.tz,
    ...(s.names && { names: s.names }),
    ...(s.measure && { measure: s.measure }),
    ...(needsProp(s.measure) && { prop: s.prop! }),
    ...(s.by === 'name' ? { breakdown: 'name' as const } : s.by && { breakdown: 'prop' as const, breakdown_prop: s.by.slice('prop:'.length) }),
    ...(s.by && s.top && { top: s.top }),
    ...(s.filter && { filter: s.filter }),
  };
}

export function measureLabel(s: ExploreState): string {
  const measure = m.explore.measures[s.measure ?? 'count'];
  return needsProp(s.measure) ? `${measure} ${s.prop}` : measure;
}

/** The series of an answer, with those of the period before behind them: the same groups, place by place. */
export function seriesOf(s: ExploreState, now: MetricsResult, before: MetricsResult | undefined): Series[] {
  const groupLabel = (g: MetricsResult['groups'][number]) => (g.other ? m.explore.other : (g.value ?? m.explore.absent));
  const length = now.series.length;
  if (now.groups.length === 0) {
    const label = s.names?.length === 1 && !needsProp(s.measure) ? s.names[0]! : measureLabel(s);
    const current: Series = { key: 'total', label, color: 0, total: now.total, values: now.series.map((p) => p.value) };
    return before?.total ? [current, { ...current, key: 'total before', label: `${label}, ${m.explore.previous}`, previous: true, total: before.total, values: before.series.slice(0, length).map((p) => p.value) }] : [current];
  }
  const out: Series[] = [];
  now.groups.forEach((g, i) => {
    const series: Series = { key: g.other ? 'other' : `value ${g.value}`, label: groupLabel(g), color: g.other ? 'other' : i, total: g.total, values: g.series.map((p) => p.value) };
    out.push(series);
    const old = before?.groups.find((b) => b.other === g.other && b.value === g.value);
    if (old?.total && !g.other) out.push({ ...series, key: `${series.key} before`, label: `${series.label}, ${m.explore.previous}`, previous: true, total: old.total, values: old.series.slice(0, length).map((p) => p.value) });
  });
  return out;
}

/** The answer as rows: a column of times, and one for each series. */
export function rowsOf(result: MetricsResult, series: Series[]): (string | number | null)[][] {
  return [[m.explore.time, ...series.map((s) => s.label)], ...result.series.map((p, i) => [p.ts, ...series.map((s) => s.values[i] ?? null)])];
}
