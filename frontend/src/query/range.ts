/** Time ranges in the address. A relative range stays relative: a shared link to “last 7 days” follows the calendar. */
import type { Bucket } from '@nimbus-analytics/sdk';
import { m } from '../messages';

export interface Range {
  /** Such as 30min, 24h, 7d, 12mo; the default when from and to are absent. */
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

const shape = /^([1-9]\d{0,4})(min|h|d|w|mo)$/;
const isInstant = (x: unknown): x is string => typeof x === 'string' && /^\d{4}-\d\d-\d\dT/.test(x) && !Number.isNaN(Date.parse(x));

export function parseRange(s: Record<string, unknown>, fallback: string): Range {
  if (isInstant(s['from']) && isInstant(s['to']) && Date.parse(s['from']) < Date.parse(s['to'])) return { from: s['from'], to: s['to'] };
  return { range: typeof s['range'] === 'string' && shape.test(s['range']) && lengthOf(s['range']) <= 20 * 366 * day ? s['range'] : fallback };
}

/** Whether a bucket is shorter than a day. */
export const isClock = (bucket: Bucket) => bucketMs[bucket] < day;

export const parsePreset = (s: Record<string, unknown>): Range => parseRange(s, '7d');

export function countOf(range: string): { count: string; unit: keyof typeof unitMs } {
  const [, count, unit] = shape.exec(range)!;
  return { count: count!, unit: unit as keyof typeof unitMs };
}

export function lengthOf(range: string): number {
  const { count, unit } = countOf(range);
  return Number(count) * unitMs[unit];
}

const spanOf = (r: Range) => (r.from && r.to ? Date.parse(r.to) - Date.parse(r.from) : lengthOf(r.range!));

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
export function windowOf(r: Range, bucket: Bucket): { bucket: Bucket; limit: number } | { bucket: Bucket; from: string; to: string } {
  if (r.from && r.to) return { bucket, from: r.from, to: r.to };
  return { bucket, limit: pointsOf(r, bucket) };
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
  const preset = m.range.presets[r.range!];
  if (preset) return preset;
  const { count, unit } = countOf(r.range!);
  return m.range.relative(`${count} ${m.range.unit[unit]}`);
}
