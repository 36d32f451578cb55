/** Numbers and times as text: in the browser's language, and always in the chosen time zone. */
import type { Bucket } from '@nimbus-analytics/sdk';

const cache = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>();
function cached<T extends Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>(key: string, make: () => T): T {
  let found = cache.get(key);
  if (!found) cache.set(key, (found = make()));
  return found as T;
}

/** 1,234,567 and 12.35; numbers below 1 get three significant digits, so that small ones can be told apart. */
export function number(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  if (beyondWords(value)) return scientific(value);
  if (Math.abs(value) < 1) return cached('n small', () => new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 })).format(value);
  const digits = Number.isInteger(value) ? 0 : 2;
  return cached(`n${digits}`, () => new Intl.NumberFormat(undefined, { maximumFractionDigits: digits })).format(value);
}

/** Numbers so large or small that only scientific notation is readable. */
const beyondWords = (value: number) => Math.abs(value) >= 1e15 || (value !== 0 && Math.abs(value) < 1e-4);
const scientific = (value: number) => cached('scientific', () => new Intl.NumberFormat(undefined, { notation: 'scientific', maximumFractionDigits: 2 })).format(value);

/** 1.2M: for axes and tiles. */
export const compact = (value: number) =>
  beyondWords(value)
    ? scientific(value)
    : Math.abs(value) < 1
      ? number(value)
      : cached('compact', () => new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 })).format(value);

export const percent = (share: number) => cached('percent', () => new Intl.NumberFormat(undefined, { style: 'percent', maximumFractionDigits: 1 })).format(share);

/** The relative change against the value before: 0.125 is +12.5 %. Undefined when there is nothing to divide by. */
export function change(now: number | null | undefined, before: number | null | undefined): number | undefined {
  if (now === null || now === undefined || !before) return undefined;
  return (now - before) / Math.abs(before);
}

function time(zone: string, name: string, options: Intl.DateTimeFormatOptions) {
  return cached(`${zone} ${name}`, () => new Intl.DateTimeFormat(undefined, { ...options, timeZone: zone }));
}

export const clock = (iso: string, zone: string) => time(zone, 'clock', { hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(new Date(iso));
export const day = (iso: string, zone: string) => time(zone, 'day', { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' }).format(new Date(iso));
export const date = (iso: string, zone: string) => time(zone, 'date', { day: 'numeric', month: 'short', year: 'numeric' }).format(new Date(iso));
/** The time to the minute; with the date unless it is today, and at midnight. */
export function minuteOf(iso: string, zone: string): string {
  const hours = { hour: '2-digit', minute: '2-digit' } as const;
  const text = time(zone, 'minute', hours).format(new Date(iso));
  return isoDay(iso, zone) === isoDay(Date.now(), zone) && startOfDay(isoDay(iso, zone), zone).getTime() !== Date.parse(iso) ? text : time(zone, 'dayMinute', { day: 'numeric', month: 'short', ...hours }).format(new Date(iso));
}
export const dateTime = (iso: string, zone: string) =>
  time(zone, 'dateTime', { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short' }).format(new Date(iso));

/** The day as YYYY-MM-DD, for sorting and for date fields. */
export const isoDay = (iso: string | number | Date, zone: string) =>
  cached(`${zone} iso`, () => new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' })).format(new Date(iso));

/** A bucket's start: short on an axis, long where it is read. */
export function bucketLabel(bucket: Bucket, zone: string, long = false): (iso: string) => string {
  const intraday = ['1m', '5m', '15m', '1h'].includes(bucket);
  const options: Intl.DateTimeFormatOptions =
    bucket === '1mo'
      ? { month: long ? 'long' : 'short', year: 'numeric' }
      : long
        ? { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric', ...(intraday && { hour: '2-digit', minute: '2-digit' }) }
        : intraday
          ? { hour: '2-digit', minute: '2-digit' }
          : { day: 'numeric', month: 'short' };
  const format = time(zone, `bucket ${bucket} ${long}`, options);
  if (long && intraday) {
    const named = time(zone, `bucket ${bucket} named`, { ...options, timeZoneName: 'short' });
    return (iso) => (comesTwice(Date.parse(iso), zone) ? named : format).format(new Date(iso));
  }
  if (long || !intraday) return (iso) => format.format(new Date(iso));
  // At midnight the label is the date.
  const midnight = time(zone, 'bucket 1d false', { day: 'numeric', month: 'short' });
  return (iso) => (iso.slice(11, 16) === '00:00' ? midnight : format).format(new Date(iso));
}

/** “3 minutes ago”. */
export function ago(iso: string, now = Date.now()): string {
  const seconds = (Date.parse(iso) - now) / 1000;
  const format = cached('ago', () => new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' }));
  const units: [Intl.RelativeTimeFormatUnit, number][] = [['day', 86_400], ['hour', 3600], ['minute', 60]];
  for (const [unit, length] of units) if (Math.abs(seconds) >= length) return format.format(Math.round(seconds / length), unit);
  return format.format(Math.round(seconds), 'second');
}

/** “4 min”, “1 h 20 min”: how long a session took. */
export function duration(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1) return '< 1 min';
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** The instant at which a day begins in a zone. */
export function startOfDay(isoDate: string, zone: string): Date {
  const wanted = Date.parse(`${isoDate}T00:00:00Z`);
  const at = instantOf(wanted, zone);
  // When the clocks skip midnight, west of Greenwich that is still in the day before.
  return new Date(isoDay(at, zone) === isoDate ? at : wanted - offsetOf(wanted, zone));
}

/** What the clocks of a zone show at an instant, as the instant at which those of UTC show it. */
export const wallOf = (at: number, zone: string): number => at + offsetOf(at, zone);

/** The instant at which the clocks of a zone show that; where they never do, one close to it. */
export function instantOf(wall: number, zone: string): number {
  // The offset depends on the instant that is sought: a second step corrects it on days when the clocks change.
  const first = wall - offsetOf(wall, zone);
  return wall - offsetOf(first, zone);
}

/** How far the clocks of a zone are ahead of UTC at an instant, in milliseconds. */
export function offsetOf(at: number, zone: string): number {
  const parts = Object.fromEntries(
    cached(`${zone} parts`, () => new Intl.DateTimeFormat('en-CA', { timeZone: zone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' }))
      .formatToParts(at)
      .map((p) => [p.type, p.value]),
  );
  return Date.parse(`${parts['year']}-${parts['month']}-${parts['day']}T${parts['hour']}:${parts['minute']}:${parts['second']}Z`) - Math.floor(at / 1000) * 1000;
}

/** Whether a clock in the zone shows this time twice: in autumn, the hour before and the hour after the clocks go back. */
function comesTwice(at: number, zone: string): boolean {
  const here = offsetOf(at, zone);
  return [at - 3 * 3_600_000, at + 3 * 3_600_000].some((near) => {
    const other = offsetOf(near, zone);
    return other !== here && offsetOf(at + here - other, zone) === other;
  });
}

/** The date some days later; earlier when negative. */
export function addDays(isoDate: string, days: number): string {
  return new Date(Date.parse(`${isoDate}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}
