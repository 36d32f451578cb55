import { expect, it } from 'vitest';
import { addDays, ago, change, dateTime, duration, isoDay, startOfDay } from './format';
import { csv } from './lib/download';
import { daysOf } from './routes/people/sessions';

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
it('says how long ago, how long, and by how much', () => {
  const now = Date.parse('2026-01-02T00:00:00Z');
  expect(ago('2026-01-01T23:57:00Z', now)).toBe(new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' }).format(-3, 'minute')); // in the reader's language
  expect([5_000, 240_000, 4_800_000].map(duration)).toEqual(['< 1 min', '4 min', '1 h 20 min']);
  expect([change(15, 10), change(1, 0), change(null, 3)]).toEqual([0.5, undefined, undefined]);
});
it('writes CSV that no spreadsheet takes for a formula', () => {
  expect(csv([['a,b', 'say "x"', '=1+1', -5, null]])).toBe('"a,b","say ""x""",\'=1+1,-5,\r\n');
});
const visitsOf = (times: string[]) => {
  const events = times.map((ts) => ({ id: ts, project_id: '', name: 'x', ts, received_at: ts, props: {} }));
  return daysOf(events, (ts) => isoDay(ts, 'UTC')).map((d) => [d.day, d.visits.map((v) => [v.events.length, v.ms / 60_000])]);
};
it('ends a visit after half an hour in which nothing happens', () => {
  expect(visitsOf(['2026-01-02T10:40:00Z', '2026-01-02T10:00:00Z', '2026-01-02T09:45:00Z', '2026-01-01T23:59:00Z'])).toEqual([['2026-01-02', [[1, 0], [2, 15]]], ['2026-01-01', [[1, 0]]]]);
});
it('leaves a visit whole that goes on past midnight, on the day on which it began', () => {
  expect(visitsOf(['2026-01-02T09:00:00Z', '2026-01-02T00:10:00Z', '2026-01-01T23:50:00Z'])).toEqual([['2026-01-02', [[1, 0]]], ['2026-01-01', [[2, 20]]]]);
});
