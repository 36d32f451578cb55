/** With which range another one is compared. */
import type { Bucket, Insight, WeekStart } from '@nimbus-analytics/sdk';
import { instantOf, wallOf } from '../format';
import { unitBefore, type Range } from '../query/range';
import { bucketOf } from './body';
import type { InsightState } from './state';
import type { TrendsFields } from './trends';

export interface Span {
  from: string;
  to: string;
}

/** The instant so much later by the clocks of a zone: a day later it is the same time of day. */
export const later = (at: number, by: number, tz: string) => instantOf(wallOf(at, tz) + by, tz);
/** How much later one instant is than another, by the clocks of a zone. */
export const between = (from: number, to: number, tz: string) => wallOf(to, tz) - wallOf(from, tz);

/** The same time of the same day so many months later; the last day of a month that is shorter. */
function monthsLater(at: number, months: number, tz: string): number {
  const date = new Date(wallOf(at, tz));
  const day = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() + months);
  date.setUTCDate(Math.min(day, new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()));
  return instantOf(date.getTime(), tz);
}

/** The range with which the asked one is compared; undefined when it is with none. */
export function against(compare: TrendsFields['compare'], range: Range, asked: Span, bucket: Bucket, tz: string, week: WeekStart | undefined, now: number): Span | undefined {
  const [from, to] = [Date.parse(asked.from), Date.parse(asked.to)];
  const span = (a: number, b: number): Span => ({ from: new Date(a).toISOString(), to: new Date(b).toISOString() });
  if (compare === undefined) return undefined;
  if (compare === 'year') return span(monthsLater(from, -12, tz), monthsLater(to, -12, tz));
  if (compare !== true) return span(Date.parse(compare), later(Date.parse(compare), between(from, to, tz), tz));
  const unit = unitBefore(range, tz, week, now);
  if (unit) return unit;
  if (bucket !== '1mo') return span(later(from, -between(from, to, tz), tz), from);
  const [first, last] = [new Date(wallOf(from, tz)), new Date(wallOf(to - 1, tz))];
  const months = 12 * (last.getUTCFullYear() - first.getUTCFullYear()) + last.getUTCMonth() - first.getUTCMonth() + 1;
  return span(monthsLater(from, -months, tz), from);
}

/** Two equally long parts of a range that is still running and of the one it is compared with: up to now, to the minute. */
export function parts(now: Span, before: Span, at: number, tz: string): { now: Span; before: Span } | undefined {
  const from = Date.parse(now.from);
  const cut = Math.min(Math.floor(at / 60_000) * 60_000, Date.parse(now.to));
  if (cut <= from) return undefined;
  const cutBefore = Math.min(later(Date.parse(before.from), between(from, cut, tz), tz), Date.parse(before.to));
  return { now: { from: now.from, to: new Date(cut).toISOString() }, before: { from: before.from, to: new Date(cutBefore).toISOString() } };
}

/** The range with which a question of trends is compared. */
export const beforeOf = (state: InsightState, body: Insight, now: number, week: WeekStart | undefined): Span | undefined =>
  state.kind === undefined ? against(state.compare, state, body as Span, bucketOf(state), state.tz, week, now) : undefined;
