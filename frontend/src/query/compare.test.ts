import type { Bucket, MetricsResult } from '@nimbus-analytics/sdk';
import { describe, expect, it } from 'vitest';
import { partsOf } from './compare';

/** An answer of buckets that begin at these instants, the last of which is running. */
function answer(bucket: Bucket, tz: string, starts: string[], to: string, runs = true): MetricsResult {
  return {
    metric: 'events.count', bucket, tz, week_start: 'monday', from: starts[0]!, to, total: 0, groups: [],
    series: starts.map((ts) => ({ ts, value: 0 })),
    meta: { exact: true, source: 'rollup', took_ms: 1, definition: '', ...(runs && { incomplete_from: starts.at(-1)! }) },
  };
}
const days = (first: string, count: number, offset = '+00:00') => Array.from({ length: count }, (_, i) => `${new Date(Date.parse(`${first}T00:00:00Z`) + i * 86_400_000).toISOString().slice(0, 10)}T00:00:00${offset}`);

describe('the parts of two periods that can be compared', () => {
  const week = answer('1d', 'UTC', days('2026-11-16', 7), '2026-11-23T00:00:00Z');
  const weekBefore = answer('1d', 'UTC', days('2026-11-09', 7), '2026-11-16T00:00:00Z', false);
  it('end with the same whole bucket, of the finest width that makes few enough points', () => {
    expect(partsOf(week, weekBefore, Date.parse('2026-11-22T10:23:45Z'))).toEqual({
      now: { bucket: '5m', from: '2026-11-16T00:00:00.000Z', to: '2026-11-22T10:20:00.000Z' },
      before: { bucket: '5m', from: '2026-11-09T00:00:00.000Z', to: '2026-11-15T10:20:00.000Z' },
    });
  });
  it('are nothing when the period is over, or has just begun', () => {
    expect(partsOf(weekBefore, week, Date.parse('2026-11-22T10:00:00Z'))).toBeUndefined();
    const hour = answer('1h', 'UTC', ['2026-11-22T10:00:00Z'], '2026-11-22T11:00:00Z');
    expect(partsOf(hour, answer('1h', 'UTC', ['2026-11-22T09:00:00Z'], '2026-11-22T10:00:00Z', false), Date.parse('2026-11-22T10:00:20Z'))).toBeUndefined();
  });
  it('stay within the running bucket, whatever the clock of the device says', () => {
    expect(partsOf(week, weekBefore, Date.parse('2027-01-01T00:00:00Z'))?.now.to).toBe('2026-11-23T00:00:00.000Z');
    expect(partsOf(week, weekBefore, Date.parse('2020-01-01T00:00:00Z'))?.now.to).toBe('2026-11-22T00:00:00.000Z');
  });
  it('are days within months, by the calendar: across a change of the clocks, and no longer than the month', () => {
    const months = (names: string[]) => names.map((n) => `${n}T00:00:00Z`);
    // Berlin: October's last days are winter time, September's are not.
    const now = answer('1mo', 'Europe/Berlin', ['2026-09-30T22:00:00Z'], '2026-10-31T23:00:00Z');
    const before = answer('1mo', 'Europe/Berlin', ['2026-08-31T22:00:00Z'], '2026-09-30T22:00:00Z', false);
    now.to = '2027-08-31T22:00:00Z'; // a range so long that hours would be too many points
    expect(partsOf(now, before, Date.parse('2026-10-28T12:00:00Z'))).toMatchObject({ now: { bucket: '1d', to: '2026-10-27T23:00:00.000Z' }, before: { to: '2026-09-27T22:00:00.000Z' } });
    const march = answer('1mo', 'UTC', months(['2026-03-01']), '2026-04-01T00:00:00Z');
    const february = answer('1mo', 'UTC', months(['2026-02-01']), '2026-03-01T00:00:00Z', false);
    expect(partsOf(march, february, Date.parse('2026-03-31T08:00:00Z'))?.before.to).toBe('2026-03-01T00:00:00.000Z');
  });
  it('of buckets that are the finest end before the running one', () => {
    const minutes = (h: string) => Array.from({ length: 3 }, (_, i) => `2026-11-22T${h}:0${i}:00Z`);
    expect(partsOf(answer('1m', 'UTC', minutes('10'), '2026-11-22T10:03:00Z'), answer('1m', 'UTC', minutes('09'), '2026-11-22T09:03:00Z', false), Date.parse('2026-11-22T10:02:30Z'))?.now.to).toBe('2026-11-22T10:02:00.000Z');
  });
});
