/** A question in words: the title of its card, its picture, its file and its link. */
import type { Anchor, FunnelStep, GroupValue, Step, TrendsSeries } from '@nimbus-analytics/sdk';
import { number } from '../format';
import { filterText } from '../query/filter';
import { byName, periodOf } from './body';
import { w } from './messages';
import { usual, type InsightState, type TrendsState } from './state';
import { isHidden, needsProp, seriesOf } from './trends';

export function stepText(step: FunnelStep | Anchor): string {
  if ('any_of' in step && step.any_of) return step.any_of.map((any) => stepText(any)).join(w.text.or);
  if ('node' in step && step.node) return step.node;
  const { event, filter } = step as Step;
  return [event ?? w.text.anyEvent, filter && w.text.where(filterText(filter))].filter(Boolean).join(' ');
}

/** A name for a step as short as it can be: that of its event. */
export const stepName = (step: FunnelStep): string => step.any_of?.map(stepName).join(w.text.or) ?? step.event ?? w.text.anyEvent;

const units = [['d', 86_400], ['h', 3600], ['min', 60], ['s', 1]] as const;
/** So many seconds as they would be set: 7 days, 90 minutes. */
export function windowParts(seconds: number): { count: number; unit: (typeof units)[number][0] } {
  const [unit, length] = units.find(([, each]) => seconds % each === 0)!;
  return { count: seconds / length, unit };
}
export function windowText(seconds: number): string {
  const { count, unit } = windowParts(seconds);
  return w.ask.windowOf(count, count === 1 ? w.ask.windowUnits[unit].slice(0, -1) : w.ask.windowUnits[unit]);
}
/** The edge of an interval: 15 min, 1 h. */
export function edgeText(seconds: number): string {
  const { count, unit } = windowParts(seconds);
  return `${count} ${unit}`;
}
export const secondsOf = (count: number, unit: (typeof units)[number][0]) => count * units.find(([name]) => name === unit)![1];

/** How long something took: 45 s, 12 min, 3.5 h, 2.1 d. */
export function took(seconds: number): string {
  const [short, length] = seconds < 90 ? ['s', 1] : seconds < 5400 ? ['min', 60] : seconds < 129_600 ? ['h', 3600] : ['d', 86_400];
  const value = seconds / (length as number);
  return `${number(value < 10 && short !== 's' ? Math.round(value * 10) / 10 : Math.round(value))} ${short}`;
}

export const valueText = (value: GroupValue): string => (value === null ? w.absent : String(value));

export const measureText = ({ measure = 'count', prop, rolling_days }: TrendsSeries): string =>
  rolling_days !== undefined ? w.trends.rolling(rolling_days) : needsProp(measure) ? `${w.trends.measures[measure]} ${prop ?? ''}` : w.trends.measures[measure];

/** A measure of events in words, such as “Sum of amount of purchased where device is mobile”. */
function seriesText(one: TrendsSeries): string {
  const of = one.any_of ?? [{ event: one.event, filter: one.filter }];
  const events = of.map((step) => [step.event, step.filter && w.text.where(filterText(step.filter))].filter(Boolean).join(' ')).filter(Boolean).join(w.text.or);
  return [measureText(one), events && (one.event === undefined && !one.any_of ? events : w.trends.of(events)), one.first_time && w.trends.firstTime, one.cumulative && w.trends.cumulative].filter(Boolean).join(' ');
}

/** What is drawn; a formula with what its letters stand for. */
function trendsText(s: TrendsState): string {
  const series = seriesOf(s);
  const shown = series.filter((_, i) => !isHidden(s, i)).map(seriesText);
  const formulas = (s.formulas ?? []).filter((_, i) => !isHidden(s, series.length + i)).map(({ expression }) => expression.replace(/[A-J]/g, (l) => (series.length > 1 || /[A-J].*[A-J]/.test(expression) ? `(${seriesText(series[l.charCodeAt(0) - 65] ?? {})})` : l)));
  const all = [...shown, ...formulas];
  return (all.length > 0 ? all : series.map(seriesText)).join(', ');
}

/** A file name that says what is in the file. */
export const fileName = (title: string, ending: string) => `nimbus-${title.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, '-').slice(0, 120).replace(/-+$/, '')}.${ending}`;

/** The whole question but for its range. */
export function titleOf(s: InsightState): string {
  const where = s.filter && w.text.where(filterText(s.filter));
  const by = s.by === undefined ? undefined : w.text.by(s.by === 'name' ? w.picker.nameOfEvent : byName(s.by));
  const join = (...parts: (string | undefined)[]) => parts.filter(Boolean).join(' ');
  switch (s.kind) {
    case undefined:
      return join(trendsText(s), where, by);
    case 'funnel':
      return join(w.text.funnel(s.steps.map(stepText).join(w.text.arrow)), w.text.within(windowText(s.window ?? usual.window)), where, by);
    case 'retention':
      return join(w.text.retention(stepText(s.start), stepText(s.return)), w.text.each(w.period[periodOf(s)]), where, by);
    case 'paths':
      return join(w.text.paths, s.start && w.text.after(stepText(s.start)), s.end && w.text.before(stepText(s.end)), where, by);
    case 'sessions':
      return join(w.text.sessions, where, by);
    case 'lifecycle':
      return join(w.text.lifecycle(s.event ?? w.text.anyEvent), w.text.each(w.period[periodOf(s)]), where, by);
    default:
      return join(w.text.stickiness(s.event ?? w.text.anyEvent), w.text.each(w.period[periodOf(s)]), where, by);
  }
}
