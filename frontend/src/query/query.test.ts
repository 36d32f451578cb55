import type { MetricsResult } from '@nimbus-analytics/sdk';
import { describe, expect, it } from 'vitest';
import { condition, filterText, parseFilter, readScalar, replaced, valueText, without, writeScalar, type Condition, type Group } from './filter';
import { autoBucket, fits, lengthOf, windowBefore, windowOf } from './range';

describe('the address', () => {
  it('refuses trees that the server would refuse', () => {
    const nested = (depth: number): unknown => (depth === 0 ? { op: 'exists', prop: 'a' } : { op: 'not', filter: nested(depth - 1) });
    expect(parseFilter(nested(7))).toBeDefined();
    expect(parseFilter(nested(8))).toBeUndefined();
    expect(parseFilter({ op: 'and', filters: [] })).toBeUndefined();
    expect(parseFilter({ op: 'gt', prop: 'a', value: '5' })).toBeUndefined();
  });
});

describe('a range', () => {
  it('gets a bucket that makes a readable number of points', () => {
    expect(['1h', '6h', '24h', '7d', '30d', '90d', '12mo', '5d'].map((range) => autoBucket({ range }))).toEqual(['1m', '15m', '1h', '1d', '1d', '1d', '1mo', '1d']);
    expect(fits({ range: '90d' }, '1m')).toBe(false);
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

describe('a question in words', () => {
  const filter = { op: 'and', filters: [{ op: 'eq', prop: 'device', value: 'mobile' }, { op: 'not', filter: { op: 'or', filters: [{ op: 'in', prop: 'plan', values: ['pro', 'team'] }, { op: 'exists', prop: 'trial' }] } }] } as const;
  it('has its conditions', () => {
    expect(filterText(filter as never)).toBe('device is mobile and not (plan is one of pro, team or trial is there)');
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
