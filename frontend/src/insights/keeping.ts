/** What is saved of a question, and whether one differs from what was saved. */
import type { SavedQuestion, WeekStart } from '@nimbus-analytics/sdk';
import { hashKey } from '@tanstack/react-query';
import { isObject } from '../lib/read';
import { rangeOf } from '../query/range';
import { bodyOf, isComplete } from './body';
import { stateOf, type Kept } from './saved';
import { usual, type InsightState, type PathsState, type TrendsState } from './state';
import { mostSeries } from './trends';

/** The question, and in `view` what it does not say: the range that it moves with, and how the answer is drawn; undefined while it is no question yet. */
export function keptOf(s: InsightState, now: number, week?: WeekStart): Kept | undefined {
  if (!isComplete(s)) return undefined;
  const usually = { ...(hasBucket(s) && s.bucket === undefined && { bucket: 'auto' }), ...(s.kind === 'retention' && s.periods === undefined && { periods: 'auto' }) };
  const drawn = s.kind === undefined ? drawnOf(s) : s.kind === 'stickiness' && s.least ? { least: true } : {};
  return { question: bodyOf(s, now, week) as SavedQuestion, view: { ...(s.range !== undefined && { range: s.range }), ...usually, ...drawn } };
}

const hasBucket = (s: InsightState): s is Exclude<InsightState, PathsState> => s.kind !== 'paths' && (s.kind !== 'funnel' || s.view === 'series');

const drawnOf = (s: TrendsState) => ({
  chart: s.chart ?? 'line',
  ...(s.compare && { compare: s.compare }),
  ...(s.hidden && { hidden: s.hidden }),
  ...(s.formulas?.some((f) => f.percent) && { percent: s.formulas.flatMap((f, i) => (f.percent ? [i] : [])) }),
});

/** What of a state is saved. */
function part(s: InsightState) {
  const { at: _, report: __, ...rest } = s;
  const at = (instant: string | undefined) => instant && Date.parse(instant);
  return { ...rest, only: undefined, unzoom: undefined, from: at(s.from), to: at(s.to) };
}

/**
 * Whether a state differs from its saved insight. An insight that another program saved may not be shown exactly: it then
 * differs from the start, because saving would change it.
 */
export function differs(s: InsightState, kept: Kept): boolean {
  const saved = stateOf(kept);
  return saved === undefined || hashKey([part(s)]) !== hashKey([part(saved)]) || !isWhole(saved, kept.question);
}

/** Whether a state says all of a question. */
function isWhole(s: InsightState, question: SavedQuestion): boolean {
  if (question.kind === 'metrics') {
    const { from, to, names = [] } = question;
    return (from === undefined) === (to === undefined) && names.length <= mostSeries && rangeOf(question).range === s.range;
  }
  const { from: _, to: __, tz: ___, bucket: ____, ...asked } = question as unknown as Record<string, unknown>;
  return says(bodyOf(s, Date.now()), asked);
}

/** What the contract takes for granted: it may stand in a question or not. */
const defaults: readonly unknown[] = [usual.window, usual.pathWindow, usual.depth, 'users', 'ordered', 'optimized', 'first', 'first_time', 'on', 'calendar', 'count', 'prop', 'monday', 'sunday'];
function says(body: unknown, asked: unknown): boolean {
  if (asked === undefined || asked === null || asked === false || (Array.isArray(asked) && asked.length === 0)) return true;
  if (body === undefined) return defaults.includes(asked) || (isObject(asked) && Object.keys(asked).length === 0);
  if (Array.isArray(asked)) return Array.isArray(body) && body.length === asked.length && asked.every((x, i) => says(body[i], x));
  if (isObject(asked)) return isObject(body) && Object.entries(asked).every(([name, x]) => says(body[name], x));
  return body === asked;
}
