import { expect, it } from 'vitest';
import { isoDay } from '../../format';
import { daysOf } from './sessions';

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
