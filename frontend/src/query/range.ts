/** Time ranges in the address. A relative range stays relative: a shared link to “last 7 days” follows the calendar. */
import type { Bucket, WeekStart } from '@nimbus-analytics/sdk';
import { addDays, isoDay, offsetOf, startOfDay } from '../format';
import { m } from '../messages';
import { zonePref } from '../prefs';

export interface Range {
  /** Such as 30min, 24h, 7d, 12mo, or one of the calendar such as last_month; the default when from and to are absent. */
  range?: string;
  from?: string;
  to?: string;
}

export const presets = ['1h', '24h', '7d', '30d', '90d', '12mo'] as const;
export const buckets = ['1m', '5m', '15m', '1h', '1d', '1w', '1mo'] as const satisfies readonly Bucket[];
/** The contract's limits for one answer: buckets per series, and points over all series. */
const maxBuckets = 10_000;
const maxPoints = 50_000;

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const unitMs = { min: minute, h: hour, d: day, w: 7 * day, mo: 30.44 * day };
export const bucketMs: Record<Bucket, number> = { '1m': minute, '5m': 5 * minute, '15m': 15 * minute, '1h': hour, '1d': day, '1w': 7 * day, '1mo': 30.44 * day };

/** The ranges of the calendar: of which unit, how many of it back, and how many days one has at most. */
const calendar = {
  today: { unit: 'day', back: 0, days: 1 },
  yesterday: { unit: 'day', back: 1, days: 1 },
  this_week: { unit: 'week', back: 0, days: 7 },
  last_week: { unit: 'week', back: 1, days: 7 },
  this_month: { unit: 'month', back: 0, days: 31 },
  last_month: { unit: 'month', back: 1, days: 31 },
  this_quarter: { unit: 'quarter', back: 0, days: 92 },
  last_quarter: { unit: 'quarter', back: 1, days: 92 },
  this_year: { unit: 'year', back: 0, days: 366 },
} as const;
export const calendars = Object.keys(calendar) as (keyof typeof calendar)[];
const isCalendar = (range: string | undefined): range is keyof typeof calendar => range !== undefined && Object.hasOwn(calendar, range);

/** The days of a calendar's unit, so many of it before the one of today; the end is not in it. */
function daysOf(unit: (typeof calendar)[keyof typeof calendar]['unit'], back: number, today: string, week: WeekStart): [string, string] {
  if (unit === 'day') return [addDays(today, -back), addDays(today, 1 - back)];
  if (unit === 'week') {
    const first = addDays(today, -((new Date(`${today}T00:00:00Z`).getUTCDay() + (week === 'sunday' ? 0 : 6)) % 7) - 7 * back);
    return [first, addDays(first, 7)];
  }
  const months = { month: 1, quarter: 3, year: 12 }[unit];
  const [year, month] = [Number(today.slice(0, 4)), Number(today.slice(5, 7)) - 1];
  const start = Math.floor(month / months) * months - back * months;
  const at = (m: number) => new Date(Date.UTC(year, m, 1)).toISOString().slice(0, 10);
  return [at(start), at(start + months)];
}

/**
 * The instants of a range in a zone. A relative one ends with the hour or day that is running, and one of the calendar no
 * later than today, so that the same question stays the same for a while.
 */
export function instantsOf(r: Range, tz: string, now: number, week: WeekStart = 'monday'): { from: string; to: string } {
  if (r.from && r.to) return { from: r.from, to: r.to };
  const at = (day: string) => startOfDay(day, tz).toISOString();
  const today = isoDay(now, tz);
  const tomorrow = addDays(today, 1);
  if (isCalendar(r.range)) {
    const [from, to] = daysOf(calendar[r.range].unit, calendar[r.range].back, today, week);
    return { from: at(from), to: at(to < tomorrow ? to : tomorrow) };
  }
  const { count, unit } = countOf(r.range!);
  const span = lengthOf(r.range!);
  if (unit === 'min' || unit === 'h') {
    const width = bucketMs[autoBucket(r)];
    const offset = offsetOf(now, tz);
    const end = (Math.floor((now + offset) / width) + 1) * width - offset;
    return { from: new Date(end - span).toISOString(), to: new Date(end).toISOString() };
  }
  if (autoBucket(r) === '1mo') {
    const months = unit === 'mo' ? Number(count) : Math.round(span / bucketMs['1mo']);
    return { from: at(new Date(Date.UTC(Number(today.slice(0, 4)), Number(today.slice(5, 7)) - months, 1)).toISOString().slice(0, 10)), to: at(tomorrow) };
  }
  return { from: at(addDays(today, 1 - Math.max(1, Math.round(span / day)))), to: at(tomorrow) };
}

/** The whole of the calendar's unit before a range of the calendar; undefined for other ranges. */
export function unitBefore(r: Range, tz: string, week: WeekStart = 'monday', now: number = Date.now()): { from: string; to: string } | undefined {
  if (!isCalendar(r.range)) return undefined;
  const [from, to] = daysOf(calendar[r.range].unit, calendar[r.range].back + 1, isoDay(now, tz), week);
  return { from: startOfDay(from, tz).toISOString(), to: startOfDay(to, tz).toISOString() };
}

const shape = /^([1-9]\d{0,4})(min|h|d|w|mo)$/;
export const isInstant = (x: unknown): x is string => typeof x === 'string' && /^\d{4}-\d\d-\d\dT/.test(x) && !Number.isNaN(Date.parse(x));

export function parseRange(s: Record<string, unknown>, fallback: string): Range {
  if (isInstant(s['from']) && isInstant(s['to']) && Date.parse(s['from']) < Date.parse(s['to'])) return { from: s['from'], to: s['to'] };
  const range = typeof s['range'] === 'string' ? s['range'] : '';
  return { range: isCalendar(range) || (shape.test(range) && lengthOf(range) <= 20 * 366 * day) ? range : fallback };
}

/** Whether a bucket is shorter than a day. */
export const isClock = (bucket: Bucket) => bucketMs[bucket] < day;

export const parsePreset = (s: Record<string, unknown>): Range => parseRange(s, '7d');

export function countOf(range: string): { count: string; unit: keyof typeof unitMs } {
  const [, count, unit] = shape.exec(range)!;
  return { count: count!, unit: unit as keyof typeof unitMs };
}

/** How long a range is; one of the calendar, at most. */
export function lengthOf(range: string): number {
  if (isCalendar(range)) return calendar[range].days * day;
  const { count, unit } = countOf(range);
  return Number(count) * unitMs[unit];
}

export const spanOf = (r: Range) => (r.from && r.to ? Date.parse(r.to) - Date.parse(r.from) : lengthOf(r.range!));

/** How many buckets a range has. */
const pointsOf = (r: Range, bucket: Bucket) => Math.max(1, Math.round(spanOf(r) / bucketMs[bucket]));

/** The most buckets that an answer with this many series can have. */
const most = (series: number) => Math.min(maxBuckets, Math.floor(maxPoints / series));

/** Whether a bucket is no wider than a range. */
export const within = (r: Range, bucket: Bucket) => bucketMs[bucket] <= Math.max(spanOf(r), minute);

/** Whether one answer can hold a range. Absolute instants may cut a bucket at either end, which adds two. */
export const fits = (r: Range, bucket: Bucket, series = 1) => within(r, bucket) && pointsOf(r, bucket) + (r.from ? 2 : 0) <= most(series);

/** The longest range for a bucket, in words. */
export function longest(bucket: Bucket, series: number): string {
  const span = most(series) * bucketMs[bucket];
  return span < 2 * day ? m.range.upTo(Math.floor(span / hour), 'h') : m.range.upTo(Math.floor(span / day), 'd');
}

/** The bucket that shows a range in about 7 to 100 points. */
export function autoBucket(r: Range): Bucket {
  const span = spanOf(r);
  if (span <= hour) return '1m';
  if (span <= 3 * hour) return '5m';
  if (span <= 12 * hour) return '15m';
  if (span <= 3 * day) return '1h';
  if (span <= 100 * day) return '1d';
  return span <= 300 * day ? '1w' : '1mo';
}

/** The time window of a question: the last buckets up to now, or two instants. */
export function windowOf(r: Range, bucket: Bucket, tz: string, week?: WeekStart): { bucket: Bucket; limit: number } | { bucket: Bucket; from: string; to: string } {
  if (r.from || isCalendar(r.range)) return { bucket, ...instantsOf(r, tz, Date.now(), week) };
  return { bucket, limit: pointsOf(r, bucket) };
}

/** The span of a list: a relative one has no end, so that what comes meanwhile is in it. */
export function spanned(r: Range, now: number, week?: WeekStart): { since: string; until?: string } {
  if (!r.from && !isCalendar(r.range)) return { since: new Date(now - lengthOf(r.range!)).toISOString() };
  const { from, to } = instantsOf(r, zonePref.get(), now, week);
  return { since: from, until: to };
}

/** The inverse of windowOf: the range of a saved question. */
export function rangeOf({ bucket = '1h', limit = 24, from, to }: { bucket?: Bucket; limit?: number; from?: string; to?: string }, now: () => number = Date.now): Range & { bucket?: Bucket } {
  const range: Range = from ? { from, to: to ?? new Date(now()).toISOString() } : { range: presets.find((p) => within({ range: p }, bucket) && pointsOf({ range: p }, bucket) === limit) ?? relative(bucket, limit) };
  return autoBucket(range) === bucket ? range : { ...range, bucket };
}

function relative(bucket: Bucket, count: number): string {
  const [, unit] = /^\d+(\D+)$/.exec(bucket)!;
  if (unit !== 'm') return `${count}${unit}`;
  const minutes = (count * bucketMs[bucket]) / minute;
  return minutes % 60 === 0 || minutes > 99_999 ? `${Math.ceil(minutes / 60)}h` : `${minutes}min`;
}

/**
 * The window of equally many buckets just before an answer. The server moves `from` back to the start of its bucket:
 * half a bucket of slack hits the right one even when the clocks changed in between.
 */
export function windowBefore(answered: { from: string; bucket: Bucket; series: readonly unknown[] }): { bucket: Bucket; from: string; to: string } {
  const { from, bucket, series } = answered;
  const to = new Date(from).toISOString();
  if (bucket === '1mo') {
    // The server writes the date in the requested zone.
    const [year, month] = [Number(from.slice(0, 4)), Number(from.slice(5, 7))];
    return { bucket, from: new Date(Date.UTC(year, month - 1 - series.length, 15)).toISOString(), to };
  }
  return { bucket, from: new Date(Date.parse(from) - (series.length - 0.5) * bucketMs[bucket]).toISOString(), to };
}

export function describeRange(r: Range, formatDate: (iso: string) => string): string {
  if (r.from && r.to) {
    const [first, last] = [formatDate(r.from), formatDate(new Date(Date.parse(r.to) - 1).toISOString())];
    return first === last ? first : `${first} – ${last}`;
  }
  const preset = m.range.presets[r.range!] ?? m.range.calendar[r.range!];
  if (preset) return preset;
  const { count, unit } = countOf(r.range!);
  return m.range.relative(`${count} ${m.range.unit[unit]}`);
}
