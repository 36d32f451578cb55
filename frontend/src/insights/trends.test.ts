import type { TrendsAnswer } from '@nimbus-analytics/sdk';
import { expect, it } from 'vitest';
import { against, parts } from './against';
import type { Trended } from './ask';
import { linesOf } from './lines';
import { parseInsight, type TrendsState } from './state';

const now = Date.parse('2026-11-10T14:20:00Z');
const of = (from: string, to: string) => ({ from: `${from}:00.000Z`, to: `${to}:00.000Z` });

it('compares a range with the one before it, with a year before, or with one that begins on a day', () => {
  const asked = of('2026-10-31T23:00', '2026-11-10T23:00'); // ten days in Berlin
  const by = (compare: TrendsState['compare'], range = {}) => against(compare, range, asked, '1d', 'Europe/Berlin', 'monday', now);
  expect(by(undefined)).toBeUndefined();
  expect(by(true)).toEqual(of('2026-10-21T22:00', '2026-10-31T23:00')); // the clocks went back on the 25th
  expect(by('year')).toEqual(of('2025-10-31T23:00', '2025-11-10T23:00'));
  expect(by('2026-03-22T23:00:00Z')).toEqual(of('2026-03-22T23:00', '2026-04-01T22:00'));
  expect(by(true, { range: 'this_month' })).toEqual(of('2026-09-30T22:00', '2026-10-31T23:00'));
  // Months before months, and what February has not is its last day.
  expect(against(true, {}, of('2026-03-01T00:00', '2026-05-11T00:00'), '1mo', 'UTC', 'monday', now)).toEqual(of('2025-12-01T00:00', '2026-03-01T00:00'));
  expect(against('year', {}, of('2028-02-29T00:00', '2028-03-01T00:00'), '1d', 'UTC', 'monday', now)).toEqual(of('2027-02-28T00:00', '2027-03-01T00:00'));
});

it('compares a range that is running with as long a part of the other, by the clocks', () => {
  const [month, before] = [of('2026-10-31T23:00', '2026-11-30T23:00'), of('2026-09-30T22:00', '2026-10-31T23:00')];
  expect(parts(month, before, Date.parse('2026-11-10T14:20:30Z'), 'Europe/Berlin')).toEqual({ now: of('2026-10-31T23:00', '2026-11-10T14:20'), before: of('2026-09-30T22:00', '2026-10-10T13:20') });
  expect(parts(month, before, Date.parse('2027-01-01T00:00:00Z'), 'Europe/Berlin')?.now.to).toBe(month.to);
  expect(parts(month, before, Date.parse('2026-10-31T23:00:40Z'), 'Europe/Berlin')).toBeUndefined();
  expect(parts(of('2026-03-01T00:00', '2026-04-01T00:00'), of('2026-02-01T00:00', '2026-03-01T00:00'), Date.parse('2026-03-31T08:00:00Z'), 'UTC')?.before.to).toBe('2026-03-01T00:00:00.000Z');
});

const meta = { exact: true, definition: '', tz: 'UTC', week_start: 'monday', as_of: '', from: '', to: '', source: 'parts', scanned: 1, took_ms: 1 } as const;
const line = (...values: (number | null)[]) => ({ total: values.reduce<number>((sum, v) => sum + (v ?? 0), 0), values });
const answer = (rest: Partial<TrendsAnswer>): TrendsAnswer => ({ bucket: '1d', starts: ['2026-11-09T00:00:00Z', '2026-11-10T00:00:00Z', '2026-11-11T00:00:00Z'], series: [], formulas: [], groups: [], meta, ...rest });

it('draws a line for each series and formula that is not hidden, and nothing in the future', () => {
  const s = parseInsight({ series: [{ event: 'a' }, { event: 'b', measure: 'users' }], formulas: [{ expression: 'A / B', percent: true }], hidden: 'A' }) as TrendsState;
  const lines = linesOf(s, answer({ series: [line(4, 2, 0), line(2, 2, 0)], formulas: [line(2, 1, null)], meta: { ...meta, incomplete_from: '2026-11-10T00:00:00Z' } }));
  expect(lines.map((l) => [l.key, l.label, l.values, l.percent, l.at])).toEqual([
    ['B', 'b: Number of people', [2, 2, null], false, { series: 1 }],
    ['C', 'A / B', [2, 1, null], true, undefined],
  ]);
});

it('puts each group of the other range behind the same group of this one', () => {
  const s = parseInsight({ by: 'prop:plan' }) as TrendsState;
  const groups = (...all: [string | undefined, boolean, number][]) => ({
    series: [line(9)], groups: all.map(([value, other, n]) => ({ values: other ? [] : [value === undefined ? {} : { value }], other, series: [line(n)], formulas: [] })),
  });
  const [here, there] = [answer(groups(['a', false, 5], ['null', false, 4], [undefined, false, 3], [undefined, true, 1])), answer(groups([undefined, false, 2], ['a', false, 4]))];
  const trended: Trended = { ...here, before: there, pair: { now: here, before: there } };
  expect(linesOf(s, trended).map((l) => [l.label, l.total, l.before?.values[0], l.compared?.before, l.color, l.at])).toEqual([
    ['a', 5, 4, 4, 0, { groups: [{ value: 'a' }], series: 0 }],
    ['null', 4, undefined, 0, 1, { groups: [{ value: 'null' }], series: 0 }], // all groups are there: this one had nothing
    ['Not set', 3, 2, 2, 2, { groups: [{}], series: 0 }],
    ['Other', 1, undefined, undefined, 'other', { other: true, series: 0 }],
  ]);
});
