import type { MetricsResult } from '@nimbus-analytics/sdk';
import { describe, expect, it } from 'vitest';
import { condition, filterText, parseFilter, readScalar, replaced, valueText, without, writeScalar, type Condition, type Group } from './filter';
import { bucketOf, fileName, isEmpty, questionOf, questionText, rowsOf, seriesOf } from './question';
import { autoBucket, fits, lengthOf, windowBefore, windowOf } from './range';
import { parseExplore, unzoomed, zoomed } from './search';

describe('the address', () => {
  it('keeps a whole question, and leaves out what it does not understand', () => {
    const filter = { op: 'and', filters: [{ op: 'gte', prop: 'amount', value: 50 }, { op: 'not', filter: { op: 'in', prop: 'plan', values: ['pro', 1, true] } }] };
    const s = parseExplore({ names: ['a', 'a', 3, ''], measure: 'p95', prop: 'ms', by: 'prop:country', top: 5, filter, range: '6w', tz: 'Europe/Berlin', compare: true, chart: 'area', bucket: '1w' });
    expect(s).toEqual({ names: ['a'], measure: 'p95', prop: 'ms', by: 'prop:country', top: 5, filter, range: '6w', tz: 'Europe/Berlin', compare: true, chart: 'area', bucket: '1w' });
    expect(parseExplore(s as never)).toEqual(s);
    expect(parseExplore({ names: 'x', measure: 'evil', by: 'country', top: 101, filter: { op: 'eq' }, range: '-1d', from: 'x', tz: 'Mars/Base', chart: 'pie', bucket: '2d' })).toEqual({ range: '30d', tz: expect.any(String) });
  });
  it('takes no range that ends before it begins', () => {
    expect(parseExplore({ from: '2026-02-01T00:00:00Z', to: '2026-01-01T00:00:00Z', tz: 'UTC' }).range).toBe('30d');
  });
  it('refuses trees that the server would refuse', () => {
    const nested = (depth: number): unknown => (depth === 0 ? { op: 'exists', prop: 'a' } : { op: 'not', filter: nested(depth - 1) });
    expect(parseFilter(nested(7))).toBeDefined();
    expect(parseFilter(nested(8))).toBeUndefined();
    expect(parseFilter({ op: 'and', filters: [] })).toBeUndefined();
    expect(parseFilter({ op: 'gt', prop: 'a', value: '5' })).toBeUndefined();
  });
});

describe('a zoom', () => {
  const base = { tz: 'UTC' };
  const [first, second] = [{ from: '2026-11-01T00:00:00Z', to: '2026-11-08T00:00:00Z' }, { from: '2026-11-02T00:00:00Z', to: '2026-11-03T00:00:00Z' }];
  it('is left for the range before the first, however often one zoomed', () => {
    const once = parseExplore({ ...base, ...zoomed({ ...base, range: '30d', bucket: '1d' }, first) });
    const twice = parseExplore({ ...once, ...zoomed(once, second) });
    expect([twice.from, twice.unzoom]).toEqual([second.from, '30d']);
    expect(parseExplore({ ...twice, ...unzoomed(twice) })).toEqual({ range: '30d', tz: 'UTC' });
    const fromDays = zoomed({ ...base, ...first }, second);
    expect(unzoomed({ ...base, ...fromDays } as never)).toMatchObject(first);
    expect(parseExplore({ ...base, unzoom: 'banana' }).unzoom).toBeUndefined();
  });
});

describe('a range', () => {
  it('gets a bucket that makes a readable number of points', () => {
    expect(['1h', '6h', '24h', '7d', '30d', '90d', '12mo', '5d'].map((range) => autoBucket({ range }))).toEqual(['1m', '15m', '1h', '1d', '1d', '1d', '1mo', '1d']);
    expect(fits({ range: '90d' }, '1m')).toBe(false);
    expect(bucketOf({ range: '90d', bucket: '1m', tz: 'UTC' })).toBe('1d');
    expect(windowOf({ range: '2w' }, '1d', 'UTC')).toEqual({ bucket: '1d', limit: 14 });
    expect(lengthOf('24h')).toBe(86_400_000);
  });
  it('has a period before it of as many buckets, whatever the clocks did', () => {
    const before = (from: string, bucket: MetricsResult['bucket'], count: number) => windowBefore({ from, bucket, series: Array.from({ length: count }) });
    // The server moves `from` back to the start of its bucket: noon of the first day is right in summer and in winter.
    expect(before('2026-11-01T00:00:00+01:00', '1d', 14)).toEqual({ bucket: '1d', from: '2026-10-18T11:00:00.000Z', to: '2026-10-31T23:00:00.000Z' });
    expect(before('2026-03-01T00:00:00+01:00', '1mo', 3).from).toBe('2025-12-15T00:00:00.000Z');
  });
});

describe('a question', () => {
  it('is not asked before it says what to measure', () => {
    expect(questionOf({ measure: 'sum', range: '7d', tz: 'UTC' }, 'p')).toBeUndefined();
    expect(questionOf({ measure: 'sum', prop: 'amount', by: 'prop:plan', range: '7d', tz: 'UTC' }, 'p')).toEqual({ project_id: 'p', bucket: '1d', limit: 7, tz: 'UTC', measure: 'sum', prop: 'amount', breakdown: 'prop', breakdown_prop: 'plan' });
  });
  it('is answered by a measure of 0, and not by a count of it', () => {
    const series = (...values: (number | null)[]) => [{ key: '', label: '', color: 0, total: 0, values }];
    expect([isEmpty('avg', series(0, null)), isEmpty('avg', series(null, null)), isEmpty('count', series(0, null)), isEmpty(undefined, series(0, 1))]).toEqual([false, true, true, false]);
  });
  it('puts each group of the period before behind the same group of now', () => {
    const answer = (values: [string | null, boolean, number][]): MetricsResult => ({
      metric: 'events.count', bucket: '1d', tz: 'UTC', week_start: 'monday', from: '', to: '', total: 9, series: [{ ts: '', value: 9 }], meta: { exact: true, source: 'rollup', took_ms: 1, definition: '' },
      groups: values.map(([value, other, total]) => ({ value, other, total, series: [{ ts: '', value: total }] })),
    });
    const [now, before] = [answer([['a', false, 5], ['null', false, 4], [null, false, 3], [null, true, 1]]), answer([[null, false, 2], ['a', false, 4], [null, true, 8]])];
    const series = seriesOf({}, now, before, { now, before });
    expect(series.map((s) => [s.key, s.label, s.total, s.before?.values[0], s.compared?.before, s.color])).toEqual([
      ['=a', 'a', 5, 4, 4, 0], ['=null', 'null', 4, undefined, undefined, 1], ['none', 'Not set', 3, 2, 2, 2], ['other', 'Other', 1, undefined, undefined, 'other'],
    ]);
    expect(rowsOf({ range: '7d', tz: 'UTC', by: 'prop:x' }, now, series)).toEqual([['Time', 'a', 'null', 'Not set', 'Other', 'Time before', 'a, before', 'Not set, before'], ['', 5, 4, 3, 1, '', 4, 2]]);
  });
});

describe('a question in words', () => {
  const filter = { op: 'and', filters: [{ op: 'eq', prop: 'device', value: 'mobile' }, { op: 'not', filter: { op: 'or', filters: [{ op: 'in', prop: 'plan', values: ['pro', 'team'] }, { op: 'exists', prop: 'trial' }] } }] } as const;
  it('has its conditions', () => {
    expect(filterText(filter as never)).toBe('device is mobile and not (plan is one of pro, team or trial is there)');
    const state = { names: ['purchased'], measure: 'sum', prop: 'amount', by: 'prop:source', filter: filter.filters[0], range: '30d', tz: 'UTC' } as const;
    expect(questionText(state as never)).toBe('Sum of amount of purchased where device is mobile by source');
    expect(fileName(state as never, 'csv')).toBe('nimbus-sum-of-amount-of-purchased-where-device-is-mobile-by-source.csv');
  });
  it('names the column of a file that has but one', () => {
    const answer = { groups: [], series: [{ ts: 't', value: 1 }] } as unknown as MetricsResult;
    expect(rowsOf({ filter: filter.filters[0], range: '7d', tz: 'UTC' }, answer, [{ key: '', label: 'Number of events', color: 0, total: 1, values: [1] }])).toEqual([['Time', 'Number of events where device is mobile'], ['t', 1]]);
  });
});

describe('the editor of conditions', () => {
  it('reads what was typed as the value that is meant', () => {
    expect(['5', '5.0', 'true', 'pro', '"5"', ' x '].map(readScalar)).toEqual([5, 5, true, 'pro', '5', 'x']);
    expect(['02134', '0x1f', '-1.5e3', '"say ""x"""', '""'].map(readScalar)).toEqual(['02134', '0x1f', -1500, 'say "x"', '']);
    expect(['5', 'true', 'pro', 5].map(writeScalar)).toEqual(['"5"', '"true"', 'pro', '5']);
  });
  it('makes a condition only of what is whole', () => {
    expect(condition('plan', 'in', 'pro, team,')).toEqual({ op: 'in', prop: 'plan', values: ['pro', 'team'] });
    expect(condition('plan', 'in', ' , ')).toBeUndefined();
    expect(condition('amount', 'gt', 'many')).toBeUndefined();
    expect(condition('', 'exists', '')).toBeUndefined();
    expect(condition('plan', 'eq', ' ')).toBeUndefined();
    expect(condition('plan', 'starts_with', '5')).toEqual({ op: 'starts_with', prop: 'plan', value: '5' });
    expect(valueText({ op: 'starts_with', prop: 'plan', value: '5' })).toBe('5');
    expect(valueText(condition('a', 'in', '"1", 2')!)).toBe('"1", 2');
  });
  it('reads every value as it writes it', () => {
    expect(condition('name', 'in', '"Doe, Jane" , Roe, 5')).toEqual({ op: 'in', prop: 'name', values: ['Doe, Jane', 'Roe', 5] });
    for (const values of [['Doe, Jane', 'Roe'], ['', 'x'], ['"', 'a "b", c', '"x"'], [' x', '5', 5, true]]) {
      expect(condition('p', 'in', valueText({ op: 'in', prop: 'p', values } as Condition))).toEqual({ op: 'in', prop: 'p', values });
      for (const value of values) expect(readScalar(writeScalar(value))).toBe(value);
    }
  });
  it('takes the group away with its last condition', () => {
    const group: Group = { op: 'or', filters: [{ op: 'exists', prop: 'a' }, { op: 'exists', prop: 'b' }] };
    expect(without(group, 0)?.filters).toEqual([{ op: 'exists', prop: 'b' }]);
    expect(without(without(group, 0)!, 0)).toBeUndefined();
    expect(replaced(group, 1, { op: 'exists', prop: 'c' }).filters[1]).toEqual({ op: 'exists', prop: 'c' });
  });
});
