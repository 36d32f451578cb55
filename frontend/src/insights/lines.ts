/** The lines of an answer of trends: of each series and formula that is shown, and of each group. */
import type { Coordinate, GroupValue, TrendsAnswer, TrendsGroup, TrendsLine, TrendsSeries, TrendsValue } from '@nimbus-analytics/sdk';
import { untilNow, type Series } from '../charts/series';
import { number, percent } from '../format';
import { m } from '../messages';
import type { Trended } from './ask';
import { w } from './messages';
import type { TrendsState } from './state';
import { measureText, valueText } from './text';
import { isHidden, letter, seriesOf } from './trends';

export interface Line extends Series {
  /** What names it where people are asked for; undefined of a formula, behind which is nobody. */
  at: Coordinate | undefined;
  percent: boolean;
}

/** A measure of the answer: its letter, its words, and where an answer or a group has it. */
export interface Measured {
  letter: string;
  label: string;
  series: number | undefined;
  percent: boolean;
  of: (group: Pick<TrendsGroup, 'series' | 'formulas'>) => TrendsLine | undefined;
}

/** The name of a series that stands beside others: its event, and what is measured of it unless that is how many there are. */
export function seriesText(one: TrendsSeries): string {
  const events = one.any_of?.map((step) => step.event ?? w.text.anyEvent).join(w.text.or) ?? one.event ?? w.trends.allEvents;
  const modes = [one.first_time && w.trends.firstTime, one.cumulative && w.trends.cumulative].filter(Boolean).join(', ');
  const measure = (one.measure ?? 'count') === 'count' && one.rolling_days === undefined ? '' : measureText(one);
  return [[events, measure].filter(Boolean).join(': '), modes].filter(Boolean).join(', ');
}

/** The measures that are shown, in the order of their letters. */
export function measuresOf(s: TrendsState): Measured[] {
  const series = seriesOf(s);
  const all: Measured[] = [
    ...series.map((one, i) => ({ letter: letter(i), label: seriesText(one), series: i, percent: false, of: (g: Pick<TrendsGroup, 'series'>) => g.series[i] })),
    ...(s.formulas ?? []).map((formula, i) => ({ letter: letter(series.length + i), label: formula.expression, series: undefined, percent: formula.percent ?? false, of: (g: Pick<TrendsGroup, 'formulas'>) => g.formulas[i] })),
  ];
  const shown = all.filter((_, i) => !isHidden(s, i));
  return shown.length > 0 ? shown : all;
}

export const groupText = (values: readonly TrendsValue[]): string =>
  values.map((v) => v.cohort ?? (v.gte !== undefined || v.lt !== undefined ? [v.gte !== undefined && `≥ ${number(v.gte)}`, v.lt !== undefined && `< ${number(v.lt)}`].filter(Boolean).join(' ') : valueText((v.value as GroupValue) ?? null))).join(' · ');

/** How a value of a line is written. */
export const written = (isPercent: boolean) => (v: number | null | undefined) => (!isPercent ? number(v) : v === null || v === undefined ? '–' : percent(v));

/** Whether the groups of a measure add up to the whole. */
export const isAdditive = (s: TrendsState, { series }: Measured): boolean => {
  const one = series === undefined ? undefined : seriesOf(s)[series];
  return one !== undefined && ['count', 'sum'].includes(one.measure ?? 'count');
};

export function linesOf(s: TrendsState, answer: Trended): Line[] {
  const measures = measuresOf(s);
  const { before, pair } = answer;
  const line = (of: Measured, key: string, label: string, color: Series['color'], at: Coordinate, pick: (answer: TrendsAnswer) => Pick<TrendsGroup, 'series' | 'formulas'> | undefined): Line => {
    const total = (a: TrendsAnswer) => {
      const there = pick(a);
      // A group that is missing from a complete list of groups had nothing.
      return there ? of.of(there)?.total : isAdditive(s, of) && !a.groups.some((g) => g.other) ? 0 : undefined;
    };
    const now = of.of(pick(answer)!);
    const earlier = before && pick(before);
    const compared = pair && { now: total(pair.now), before: total(pair.before) };
    return {
      key, label, color, percent: of.percent,
      at: of.series === undefined ? undefined : { ...at, series: of.series },
      total: now?.total ?? null,
      values: untilNow(answer.starts, now?.values ?? [], answer.meta.incomplete_from),
      ...(earlier && before && { before: { times: before.starts, values: of.of(earlier)?.values ?? [] } }),
      ...(compared?.now !== undefined && compared.before !== undefined && { compared: { now: compared.now, before: compared.before } }),
    };
  };
  if (!s.by) return measures.map((of, i) => line(of, of.letter, of.label, i, {}, (a) => a));
  const names = measures.length > 1;
  return answer.groups.flatMap((g, i) => {
    const values = JSON.stringify(g.values);
    // The rest sums up different groups in each range: it is not compared.
    const pick = (a: TrendsAnswer) => (g.other ? (a === answer ? g : undefined) : a.groups.find((x) => !x.other && JSON.stringify(x.values) === values));
    const label = g.other ? m.explore.other : groupText(g.values);
    return measures.map((of, k) => line(of, `${of.letter}${g.other ? 'other' : values}`, names ? `${label} · ${of.label}` : label, g.other ? 'other' : i * measures.length + k, g.other ? { other: true } : { groups: g.values }, pick));
  });
}

/** The measures of all events together, whatever the groups. */
export const wholeOf = (s: TrendsState, answer: Trended): Line[] => {
  const { by: _, ...rest } = s;
  return linesOf(rest, answer);
};
