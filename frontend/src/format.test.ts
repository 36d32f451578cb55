import { expect, it } from 'vitest';
import { addDays, ago, bucketLabel, change, dateTime, duration, isoDay, startOfDay } from './format';

it('begins a day where it begins in the zone, on the days of a clock change too', () => {
  expect(startOfDay('2026-10-25', 'Europe/Berlin').toISOString()).toBe('2026-10-24T22:00:00.000Z');
  expect(startOfDay('2026-10-26', 'Europe/Berlin').toISOString()).toBe('2026-10-25T23:00:00.000Z');
  expect(startOfDay('2026-03-30', 'Europe/Berlin').toISOString()).toBe('2026-03-29T22:00:00.000Z');
  expect(startOfDay('2026-01-15', 'Asia/Kathmandu').toISOString()).toBe('2026-01-14T18:15:00.000Z');
  // Where midnight itself is left out, or comes twice.
  expect(startOfDay('2026-09-06', 'America/Santiago').toISOString()).toBe('2026-09-06T04:00:00.000Z');
  expect(startOfDay('2026-03-29', 'Atlantic/Azores').toISOString()).toBe('2026-03-29T01:00:00.000Z');
  expect(startOfDay('2026-04-24', 'Africa/Cairo').toISOString()).toBe('2026-04-23T22:00:00.000Z');
  expect(startOfDay('2026-11-01', 'America/Havana').toISOString()).toBe('2026-11-01T04:00:00.000Z');
  expect(isoDay('2026-01-14T18:15:00Z', 'Asia/Kathmandu')).toBe('2026-01-15');
  expect(addDays('2026-02-28', 1)).toBe('2026-03-01');
});
it('gives a time with the zone that it is in', () => {
  expect(dateTime('2026-01-15T10:00:00Z', 'Asia/Kathmandu')).toMatch(/15:45:00.*GMT\+5:45|3:45:00.*GMT\+5:45/);
  expect(dateTime('2026-01-15T10:00:00Z', 'UTC')).toMatch(/10:00:00.*UTC/);
});
it('names the zone of an hour that comes twice, and of no other', () => {
  const label = bucketLabel('1h', 'America/New_York', true);
  const hours = ['2026-11-01T04:00:00Z', '2026-11-01T05:00:00Z', '2026-11-01T06:00:00Z', '2026-11-01T07:00:00Z'].map(label);
  expect(new Set(hours).size).toBe(4);
  expect(hours.map((text) => /E[DS]T|GMT/.exec(text)?.[0])).toEqual([undefined, expect.anything(), expect.anything(), undefined]);
  // Half an hour on Lord Howe Island, and nothing in spring.
  const lord = bucketLabel('15m', 'Australia/Lord_Howe', true);
  expect(['2026-04-04T14:30:00Z', '2026-04-04T15:00:00Z'].map((iso) => /GMT|LH/.test(lord(iso)))).toEqual([true, true]);
  expect(['2026-03-08T06:00:00Z', '2026-03-08T07:00:00Z'].map((iso) => /E[DS]T|GMT/.test(label(iso)))).toEqual([false, false]);
});
it('says how long ago, how long, and by how much', () => {
  const now = Date.parse('2026-01-02T00:00:00Z');
  expect(ago('2026-01-01T23:57:00Z', now)).toBe(new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' }).format(-3, 'minute')); // in the reader's language
  expect([5_000, 240_000, 4_800_000].map(duration)).toEqual(['< 1 min', '4 min', '1 h 20 min']);
  expect([change(15, 10), change(1, 0), change(null, 3)]).toEqual([0.5, undefined, undefined]);
});
