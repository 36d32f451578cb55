import type { MetricsInsight, SavedQuestion } from '@nimbus-analytics/sdk';
import { beforeEach, expect, it } from 'vitest';
import { projectZone } from '../prefs';
import { rangeOf } from '../query/range';
import { differs, keptOf } from './keeping';
import { stateOf } from './saved';
import { parseInsight } from './state';

const now = Date.parse('2026-11-10T14:20:00Z');
const filter = { op: 'and', filters: [{ op: 'gte', prop: 'amount', value: 50 }, { op: 'not', filter: { op: 'in', prop: 'plan', values: ['pro', 1] } }] };
const cohort = '3fa85f64-5717-4562-b3fc-2c963f66afa6';

beforeEach(() => projectZone.set('Asia/Kathmandu'));

it('a question of any kind comes back as it was saved: all series, its range, and how it was drawn', () => {
  for (const address of [
    {},
    { range: '24h', series: [{ event: 'a', filter, measure: 'users' }, { event: 'b', measure: 'sum', prop: 'amount' }, { measure: 'users', rolling_days: 7 }], formulas: [{ expression: 'A / B' }, { expression: 'B / C', percent: true }], hidden: 'AC', compare: 'year', chart: 'area' },
    { range: 'last_month', by: 'profile:plan', top: 5, unit: 'company', cohort, compare: true },
    { range: '24h', bucket: '15m', filter }, { range: '7d', bucket: '1w', by: 'name' }, { compare: '2025-11-03T00:00:00.000Z', chart: 'number' },
    { from: '2026-10-01T00:00:00.000Z', to: '2026-11-01T00:00:00.000Z', chart: 'bar', tz: 'Europe/Berlin' },
    { kind: 'funnel', range: 'this_week', steps: [{ event: 'a' }, { event: 'b', optional: true }, { event: 'c', filter }], window: 60, by: 'profile:plan', view: 'series', bucket: '1w' },
    { kind: 'funnel', steps: [{ event: 'a' }, { event: 'b' }], view: 'time' },
    { kind: 'retention', start: { event: 'a' }, mode: 'streak', by: 'prop:plan' }, { kind: 'retention', periods: 4, bucket: '1d', range: '90d' },
    { kind: 'lifecycle', event: 'a', by: 'profile:plan', unit: 'company' }, { kind: 'stickiness', least: true, bucket: '1w' },
    { kind: 'paths', start: { event: 'a' }, end: { node: '/' }, node: 'page', repeats: true, top: 8 }, { kind: 'sessions', by: 'prop:page', range: '7d' },
  ]) {
    const state = parseInsight({ tz: 'UTC', ...address });
    const kept = JSON.parse(JSON.stringify(keptOf(state, now))) as NonNullable<ReturnType<typeof keptOf>>;
    expect(stateOf(kept), JSON.stringify(address)).toEqual(state);
    expect(differs(state, kept), JSON.stringify(address)).toBe(false);
    expect(differs({ ...state, range: '12mo', from: undefined, to: undefined } as never, kept)).toBe(true);
  }
  expect(keptOf(parseInsight({ series: [{ measure: 'sum' }] }), now)).toBeUndefined();
});

it('reads what other programs saved, by the defaults of the contract', () => {
  const read = (question: object, view = {}) => stateOf({ question: question as SavedQuestion, view });
  expect(read({ kind: 'metrics' }, { chart: 'line' })).toEqual({ range: '24h', tz: 'Asia/Kathmandu' });
  for (const view of [{}, { chart: 'pie', compare: 'yes' }, { chart: 3 }]) expect(read({ kind: 'metrics' }, view)).toEqual({ range: '24h', tz: 'Asia/Kathmandu' });
  const span = { from: '2026-10-01T00:00:00Z', to: '2026-11-01T00:00:00Z', tz: 'UTC' };
  expect(read({ kind: 'trends', ...span, series: [{ event: 'a' }], breakdown: [{ prop: 'plan' }] })).toEqual({ ...span, series: [{ event: 'a' }], by: 'prop:plan', bucket: '1h' });
  expect(read({ kind: 'sessions', ...span, breakdown: { prop: 'plan' } })).toEqual({ kind: 'sessions', ...span, by: 'prop:plan', top: 10 });
  expect(rangeOf({ bucket: '15m', limit: 7 })).toEqual({ range: '105min', bucket: '15m' });
  expect(rangeOf({ bucket: '1m', limit: 9999 })).toEqual({ range: '9999min', bucket: '1m' });
  expect(rangeOf({ bucket: '5m', limit: 5001 })).toEqual({ range: '25005min', bucket: '5m' });
  expect(rangeOf({ bucket: '1d', from: '2026-01-01T00:00:00Z' }, () => Date.parse('2026-01-08T00:00:00Z'))).toEqual({ from: '2026-01-01T00:00:00Z', to: '2026-01-08T00:00:00.000Z' });
});

it('marks an insight that it cannot show as it was saved', () => {
  const changes = (question: object) => {
    const kept = { question: question as SavedQuestion, view: {} };
    return differs(stateOf(kept)!, kept);
  };
  const metrics = (asked: Omit<MetricsInsight, 'kind'>) => changes({ kind: 'metrics', ...asked });
  expect(metrics({ bucket: '1d', to: '2026-01-01T00:00:00Z' })).toBe(true);
  expect(metrics({ bucket: '1d', from: '2026-01-01T00:00:00Z' })).toBe(true); // up to the time at which it is asked
  expect(metrics({ bucket: '1mo', limit: 9999 })).toBe(true);
  expect(metrics({ names: Array.from({ length: 11 }, (_, i) => `event ${i}`) })).toBe(true);
  expect([{}, { names: [] }, { limit: 7, breakdown: 'name', top: 10 }, { bucket: '1mo', limit: 1 }, { names: ['a', 'b'], measure: 'sum', prop: 'amount' }].map((q) => metrics(q as Omit<MetricsInsight, 'kind'>))).toEqual([false, false, false, false, false]);
  const span = { from: '2026-10-01T00:00:00Z', to: '2026-11-01T00:00:00Z', tz: 'UTC', bucket: '1d' };
  const series = [{ event: 'a', measure: 'count' }];
  expect(changes({ kind: 'trends', ...span, series })).toBe(false);
  expect(changes({ kind: 'trends', ...span, series, include_bots: true })).toBe(true);
  expect(changes({ kind: 'trends', ...span, series, breakdown: [{ prop: 'a' }, { prop: 'b' }] })).toBe(true);
  expect(changes({ kind: 'trends', ...span, series: [{ custom_event: cohort }] })).toBe(true);
  expect(changes({ kind: 'funnel', ...span, steps: [{ event: 'a' }, { event: 'b' }], order: 'ordered', window_seconds: 604_800, exclude: [] })).toBe(false);
  expect(changes({ kind: 'funnel', ...span, steps: [{ event: 'a' }, { event: 'b' }], people: { op: 'did', event: 'a' } })).toBe(true);
});
