import type { MetricsInsight } from '@nimbus-analytics/sdk';
import { beforeEach, expect, it } from 'vitest';
import { projectZone } from '../prefs';
import { rangeOf } from './range';
import { differs, reportOf, stateOf } from './report';
import { parseExplore } from './search';

const view = { chart: 'bar', compare: true } as const;

beforeEach(() => projectZone.set('Asia/Kathmandu'));

it('comes back as it was saved', () => {
  const filter = { op: 'and', filters: [{ op: 'gte', prop: 'amount', value: 50 }, { op: 'not', filter: { op: 'in', prop: 'plan', values: ['pro', 1] } }] };
  for (const state of [
    { range: '30d' },
    { range: '24h', names: ['a', 'b'], measure: 'users', by: 'name', top: 5, compare: true, chart: 'area' },
    { range: '12mo', measure: 'p95', prop: 'ms', by: 'prop:country', filter, tz: 'Europe/Berlin', chart: 'table' },
    { range: '24h', bucket: '1d' }, { range: '7d', bucket: '1w' }, { range: '30d', by: 'name', top: 15 },
    { range: '1h' }, { range: '90d', bucket: '1w' }, { range: '12mo', bucket: '1d' }, { range: '35min', bucket: '5m' }, { range: '3w' }, { range: '5h', bucket: '1m' },
    { from: '2026-10-01T00:00:00.000Z', to: '2026-11-01T00:00:00.000Z', chart: 'number' },
  ]) {
    const asked = parseExplore({ tz: 'UTC', ...state });
    const kept = reportOf(asked)!;
    expect(reportOf(stateOf(kept)), JSON.stringify(state)).toEqual(kept);
    expect(differs(asked, kept)).toBe(false);
  }
});

it('reads what other programs saved, by the defaults of the contract', () => {
  expect(stateOf({ question: { kind: 'metrics' }, view: { chart: 'line' } })).toEqual({ range: '24h', tz: 'Asia/Kathmandu' });
  expect(rangeOf({ bucket: '15m', limit: 7 })).toEqual({ range: '105min', bucket: '15m' });
  expect(rangeOf({ bucket: '1m', limit: 9999 })).toEqual({ range: '9999min', bucket: '1m' });
  expect(rangeOf({ bucket: '5m', limit: 5001 })).toEqual({ range: '25005min', bucket: '5m' });
  expect(rangeOf({ bucket: '1d', from: '2026-01-01T00:00:00Z' }, () => Date.parse('2026-01-08T00:00:00Z'))).toEqual({ from: '2026-01-01T00:00:00Z', to: '2026-01-08T00:00:00.000Z' });
});

it('draws a line where another program saved a view of its own', () => {
  const question = { kind: 'metrics' as const };
  for (const view of [{}, { chart: 'pie', compare: 'yes' }, { chart: 3 }]) expect(stateOf({ question, view })).toEqual({ range: '24h', tz: 'Asia/Kathmandu' });
});

it('tells a change from an order of members', () => {
  const question: MetricsInsight = { kind: 'metrics', bucket: '1d', limit: 30, tz: 'UTC', filter: { op: 'eq', prop: 'plan', value: 'pro' } };
  const state = stateOf({ question, view });
  expect(differs(state, { question: { kind: 'metrics', filter: { value: 'pro', prop: 'plan', op: 'eq' }, tz: 'UTC', limit: 30, bucket: '1d' }, view })).toBe(false);
  expect(differs({ ...state, compare: undefined }, { question, view })).toBe(true);
  expect(differs({ ...state, range: '7d' }, { question, view })).toBe(true);
  expect(differs({ ...state, measure: 'sum' }, { question, view })).toBe(true);
  const days = { from: '2026-10-01T00:00:00.000Z', to: '2026-10-08T00:00:00.000Z' };
  expect(differs({ ...days, tz: 'UTC' }, { question: { kind: 'metrics', bucket: '1d', tz: 'UTC', from: '2026-10-01T00:00:00Z', to: '2026-10-08T00:00:00Z' }, view: { chart: 'line' } })).toBe(false);
});

it('marks a report that it cannot show as it was saved', () => {
  const changes = (asked: Omit<MetricsInsight, 'kind'>) => {
    const question: MetricsInsight = { kind: 'metrics', ...asked };
    return differs(stateOf({ question, view }), { question, view });
  };
  expect(changes({ bucket: '1d', to: '2026-01-01T00:00:00Z' })).toBe(true);
  expect(changes({ bucket: '1d', from: '2026-01-01T00:00:00Z' })).toBe(true); // up to the time at which it is asked
  expect(changes({ bucket: '1mo', limit: 9999 })).toBe(true);
  expect([{}, { names: [] }, { limit: 7, breakdown: 'name', top: 10 }, { bucket: '1mo', limit: 1 }].map((q) => changes(q as Omit<MetricsInsight, 'kind'>))).toEqual([false, false, false, false]);
});
