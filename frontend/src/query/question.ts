/** Turns the state in the address into a question for the server, and its answer into the series of a chart. */
import type { Bucket, MetricsQuery, MetricsResult } from '@nimbus-analytics/sdk';
import type { Series } from '../charts/series';
import { knownProject } from '../hooks';
import { m } from '../messages';
import type { Comparison } from './compare';
import { filterText } from './filter';
import { autoBucket, fits, windowOf, type Range } from './range';
import { usualTop, type ExploreState } from './search';

export const needsProp = (measure: MetricsQuery['measure']) => measure !== undefined && measure !== 'count' && measure !== 'users';

/** The day with which the weeks of a project begin. */
export const weekOf = (project_id: string) => knownProject(project_id)?.week_start;

/** The question of a tile of the overview: one measure of all events. */
export const measured = (project_id: string, measure: NonNullable<MetricsQuery['measure']>, range: Range, tz: string): MetricsQuery => ({ project_id, measure, tz, ...windowOf(range, autoBucket(range), tz, weekOf(project_id)) });

/** How many series an answer may have: the groups, “Other” and the total; or the named events and the total, if they are few. */
export function seriesCount({ by, top = usualTop, names }: Pick<ExploreState, 'by' | 'top' | 'names'>): number {
  if (!by) return 1;
  return by === 'name' && names && names.length <= top ? names.length + 1 : top + 2;
}

export const bucketOf = (s: ExploreState): Bucket => (s.bucket && fits(s, s.bucket, seriesCount(s)) ? s.bucket : autoBucket(s));

/** The question; undefined while the property to measure is missing. */
export function questionOf(s: ExploreState, project_id: string): MetricsQuery | undefined {
  if (needsProp(s.measure) && !s.prop) return undefined;
  return {
    project_id,
    ...windowOf(s, bucketOf(s), s.tz, weekOf(project_id)),
    tz: s.tz,
    ...(s.names && { names: s.names }),
    ...(s.measure && { measure: s.measure }),
    ...(needsProp(s.measure) && { prop: s.prop! }),
    ...(s.by === 'name' ? { breakdown: 'name' as const } : s.by && { breakdown: 'prop' as const, breakdown_prop: s.by.slice('prop:'.length) }),
    ...(s.by && s.top && { top: s.top }),
    ...(s.filter && { filter: s.filter }),
  };
}

export function measureLabel(s: Pick<ExploreState, 'measure' | 'prop'>): string {
  const measure = m.explore.measures[s.measure ?? 'count'];
  return needsProp(s.measure) ? `${measure} ${s.prop}` : measure;
}

/** The whole question in words but for its range: the title of a chart, a picture, a file, a report and a tile. */
export function questionText(s: ExploreState): string {
  const by = s.by === 'name' ? m.explore.byName.toLowerCase() : s.by?.slice('prop:'.length);
  return [measureLabel(s), s.names && m.reports.of(s.names), s.filter && m.reports.where(filterText(s.filter)), by && m.reports.by(by)].filter(Boolean).join(' ');
}

/** A file name that says what is in the file. */
export const fileName = (s: ExploreState, ending: string) => `nimbus-${questionText(s).toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, '-').slice(0, 120).replace(/-+$/, '')}.${ending}`;

/** Whether the groups of an answer add up to its total. */
export const isAdditive = ({ metric }: Pick<MetricsResult, 'metric'>) => metric === 'events.count' || metric.endsWith('.sum');

/** Whether there is nothing to show: no event matched. A sum or average of 0 is a value. */
export const isEmpty = (measure: MetricsQuery['measure'], series: readonly Series[]) => series.every((s) => s.values.every((v) => (needsProp(measure) ? v === null : !v)));

type Group = MetricsResult['groups'][number];
const keyOf = (g: Group) => (g.other ? 'other' : g.value === null ? 'none' : `=${g.value}`);

/** The series of an answer, each with the same group of the period before. */
export function seriesOf(s: Pick<ExploreState, 'names' | 'measure' | 'prop'>, now: MetricsResult, before?: MetricsResult, comparison?: Comparison): Series[] {
  // A bucket in the future has no value yet, not zero.
  const open = now.meta.incomplete_from;
  const ahead = open === undefined ? -1 : now.series.findIndex((p) => Date.parse(p.ts) > Date.parse(open));
  const values = (points: MetricsResult['series']) => points.map((p, i) => (ahead >= 0 && i >= ahead ? null : p.value));
  const earlier = (points: MetricsResult['series'] | undefined) => points && { times: points.map((p) => p.ts), values: points.map((p) => p.value) };
  if (now.groups.length === 0) {
    const label = s.names?.length === 1 && !needsProp(s.measure) ? s.names[0]! : measureLabel(s);
    return [{ key: 'total', label, color: 0, total: now.total, values: values(now.series), before: earlier(before?.series), compared: comparison && { now: comparison.now.total, before: comparison.before.total } }];
  }
  return now.groups.map((g, i) => {
    const key = keyOf(g);
    // “Other” sums up different groups in each period: it is not compared.
    const same = (r: MetricsResult | undefined) => (g.other ? undefined : r?.groups.find((b) => keyOf(b) === key));
    // Without an “Other”, a group that is missing from the period before had no events.
    const none = (r: MetricsResult | undefined) => (r && isAdditive(r) && !g.other && !r.groups.some((x) => x.other) ? { total: 0 } : undefined);
    const [a, b] = [same(comparison?.now) ?? none(comparison?.now), same(comparison?.before) ?? none(comparison?.before)];
    return {
      key,
      label: g.other ? m.explore.other : (g.value ?? m.explore.absent),
      color: g.other ? 'other' : i,
      total: g.total,
      values: values(g.series),
      before: earlier(same(before)?.series),
      compared: a && b && { now: a.total, before: b.total },
    };
  });
}

/** The answer as rows for CSV: the times and a column per series, then the times and columns of the period before. */
export function rowsOf(s: ExploreState, result: MetricsResult, series: readonly Series[]): (string | number | null)[][] {
  const labels = result.groups.length === 0 ? [questionText(s)] : series.map((one) => one.label);
  const old = series.filter((one) => one.before);
  const times = old[0]?.before?.times;
  return [
    [m.explore.time, ...labels, ...(times ? [m.explore.timeBefore, ...old.map((one) => `${labels[series.indexOf(one)]}, ${m.explore.previous}`)] : [])],
    ...result.series.map((p, i) => [p.ts, ...series.map((one) => one.values[i] ?? null), ...(times ? [times[i] ?? null, ...old.map((one) => one.before!.values[i] ?? null)] : [])]),
  ];
}
