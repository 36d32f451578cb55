import { expect, it } from 'vitest';
import { instantsOf, unitBefore } from '../query/range';
import { bodyOf, isComplete } from './body';
import type { SavedQuestion } from '@nimbus-analytics/sdk';
import { asKind, eventsOf } from './kinds';
import { stateOf, stateOfAddress } from './saved';
import { parseInsight, type InsightState } from './state';
import { unzoomed, zoomed } from './trends';
import { titleOf } from './text';

const now = Date.parse('2026-11-10T14:20:00Z');
const read = (s: Record<string, unknown>) => parseInsight({ tz: 'UTC', ...s });
/** The body of what an address says, and whether reading the state again gives the same state. */
function asked(s: Record<string, unknown>) {
  const state = read(s);
  expect(parseInsight(JSON.parse(JSON.stringify(state)) as Record<string, unknown>)).toEqual(state);
  return bodyOf(state, now);
}
const span = { from: '2026-10-12T00:00:00.000Z', to: '2026-11-11T00:00:00.000Z', tz: 'UTC' };
const filter = { op: 'eq' as const, prop: 'plan', value: 'pro' };

it('asks a funnel as its address says', () => {
  const steps = [{ event: 'page_view', filter }, { event: 'search', optional: true }, { event: 'purchased' }];
  expect(asked({ kind: 'funnel', steps })).toEqual({ kind: 'funnel', ...span, steps });
  expect(asked({ kind: 'funnel', steps, window: 3600, order: 'strict', attempt: 'first', count: 'sessions', exclude: [{ event: 'refunded', from: 1, to: 3 }], hold: ['product'], by: 'prop:source', top: 3, of: 3, filter, view: 'series' })).toEqual({
    kind: 'funnel', ...span, filter, steps, window_seconds: 3600, order: 'strict', attempt: 'first', count: 'sessions', exclude: [{ event: 'refunded', from: 1, to: 3 }], hold: ['product'], breakdown: { prop: 'source', top: 3, attribution: 'step', step: 3 }, bucket: '1d',
  });
  expect(asked({ kind: 'funnel', steps, window: 1800, view: 'time' })).toMatchObject({ histogram: { edges: [60, 300, 900] } });
});
it('asks nothing of a funnel whose steps are not chosen yet', () => {
  expect(isComplete(read({ kind: 'funnel', steps: [{ event: 'a' }, {}] }))).toBe(false);
  expect(isComplete(read({ kind: 'funnel', steps: [{ event: 'a' }, { event: 'b' }] }))).toBe(true);
});
it('asks for retention as its address says', () => {
  expect(asked({ kind: 'retention', start: { event: 'sign_up' }, return: {} })).toEqual({ kind: 'retention', ...span, start: { event: 'sign_up' }, return: {}, periods: 6, bucket: '1w' });
  expect(asked({ kind: 'retention', start: {}, return: { event: 'purchased' }, starts: 'recurring', mode: 'streak', interval: 'rolling', periods: 4, bucket: '1d', by: 'prop:plan' })).toEqual({
    kind: 'retention', ...span, start: {}, return: { event: 'purchased' }, cohort: 'recurring', mode: 'streak', interval: 'rolling', periods: 4, bucket: '1d', breakdown: { prop: 'plan', top: 5 },
  });
});
it('asks for lifecycle, stickiness and sessions as their addresses say', () => {
  expect(asked({ kind: 'lifecycle', event: 'page_view', bucket: '1w' })).toEqual({ kind: 'lifecycle', ...span, event: 'page_view', bucket: '1w' });
  expect(asked({ kind: 'stickiness', least: true, filter })).toEqual({ kind: 'stickiness', ...span, filter, bucket: '1d' });
  expect(asked({ kind: 'sessions', by: 'prop:page', top: 3 })).toEqual({ kind: 'sessions', ...span, bucket: '1d', breakdown: { prop: 'page', top: 3 } });
});
it('asks about the people of a cohort, and keeps it from kind to kind', () => {
  const cohort = '3fa85f64-5717-4562-b3fc-2c963f66afa6';
  expect(asked({ kind: 'sessions', cohort })).toMatchObject({ people: { op: 'in', cohort } });
  expect(asKind(read({ kind: 'sessions', cohort }), 'paths')).toMatchObject({ cohort });
  expect(read({ kind: 'sessions', cohort: 'everybody' })).not.toHaveProperty('cohort');
});
it('asks for paths as their address says', () => {
  expect(asked({ kind: 'paths' })).toEqual({ kind: 'paths', ...span });
  expect(asked({ kind: 'paths', start: { event: 'sign_up' }, end: { node: '/thanks' }, depth: 4, top: 8, count: 'totals', window: 60, node: 'page', exclude: ['/health'], repeats: true })).toEqual({
    kind: 'paths', ...span, start: { event: 'sign_up' }, end: { node: '/thanks' }, depth: 4, top: 8, count: 'totals', window_seconds: 60, node_prop: 'page', exclude: ['/health'], collapse: false,
  });
});
it('opens a saved question as it was asked', () => {
  const cohort = '3fa85f64-5717-4562-b3fc-2c963f66afa6';
  for (const address of [
    { kind: 'funnel', steps: [{ event: 'a' }, { event: 'b', optional: true }, { event: 'c' }], window: 60, order: 'any', by: 'prop:plan', of: 'last', view: 'series', cohort },
    { kind: 'retention', start: { event: 'a' }, starts: 'recurring', mode: 'streak', by: 'prop:plan', top: 3 },
    { kind: 'lifecycle', event: 'a', bucket: '1w' },
    { kind: 'paths', end: { node: '/' }, node: 'page', repeats: true, top: 8 },
    { kind: 'sessions', by: 'prop:page' },
  ]) {
    const question = bodyOf(read(address), now);
    const state = stateOf({ question: question as SavedQuestion, view: {} })!;
    expect(bodyOf(state, now)).toEqual(question);
    expect(stateOfAddress({ question, at: { step: 2, lost: true } })).toEqual({ ...state, at: { step: 2, lost: true } });
  }
  expect(stateOf({ question: { kind: 'uniques' } as SavedQuestion, view: {} })).toBeUndefined();
});
it('opens a question that a link names', () => {
  const question = { kind: 'metrics', from: '2026-10-12T00:00:00.000Z', to: '2026-11-11T00:00:00.000Z', tz: 'UTC', bucket: '1d', names: ['a'], measure: 'users', breakdown: 'prop', breakdown_prop: 'plan' };
  expect(stateOfAddress({ question })).toEqual({ from: question.from, to: question.to, tz: 'UTC', series: [{ event: 'a', measure: 'users' }], by: 'prop:plan' });
  for (const other of ['funnel', null, {}, { kind: 'horoscope' }, { kind: 'metrics', names: 'all' }]) expect(stateOfAddress({ question: other, tz: 'UTC' })).toMatchObject({ tz: expect.any(String) as string });
  expect(stateOfAddress({ kind: 'sessions', tz: 'UTC' })).toEqual(parseInsight({ kind: 'sessions', tz: 'UTC' }));
});
it('leaves out of an address what it does not understand', () => {
  expect(read({ kind: 'funnel', steps: 'all', window: -1, order: 'ordered', count: 'users', by: 'name', hold: [1], of: 0, at: 3 })).toEqual({ kind: 'funnel', range: '30d', tz: 'UTC', steps: [{}, {}] });
  expect(read({ kind: 'sessions', at: { row: 2, group: 5, node: '', other: 'yes' } }).at).toEqual({ row: 2, group: 5 });
  expect(parseInsight({ kind: 'horoscope', tz: 'UTC' })).toEqual({ range: '30d', tz: 'UTC' });
});
it('keeps of a question what the next kind understands', () => {
  const funnel = read({ kind: 'funnel', range: '7d', steps: [{ event: 'a', filter }, { event: 'b' }], by: 'prop:plan', filter, at: { step: 1 } });
  const shared = { range: '7d', tz: 'UTC', filter };
  expect(asKind(funnel, 'trends')).toEqual({ ...shared, series: [{ event: 'a', filter }, { event: 'b' }], by: 'prop:plan' });
  expect(asKind(funnel, 'retention')).toEqual({ kind: 'retention', ...shared, by: 'prop:plan', start: { event: 'a', filter }, return: { event: 'b' } });
  expect(asKind(funnel, 'paths')).toEqual({ kind: 'paths', ...shared, start: { event: 'a', filter } });
  expect(asKind(funnel, 'lifecycle')).toEqual({ kind: 'lifecycle', ...shared }); // by the plan of events it cannot be
  const trends: InsightState = { ...shared, series: [{ event: 'a', measure: 'users' }, { event: 'b', filter }], by: 'profile:plan', unit: 'company' };
  expect(asKind(trends, 'funnel')).toEqual({ kind: 'funnel', ...shared, steps: [{ event: 'a' }, { event: 'b', filter }], by: 'profile:plan', unit: 'company' });
  expect(asKind(trends, 'lifecycle')).toEqual({ kind: 'lifecycle', ...shared, by: 'profile:plan', unit: 'company' });
  expect(eventsOf(asKind({ range: '7d', tz: 'UTC', series: [{ event: 'a' }] }, 'stickiness'))).toEqual([{ event: 'a' }]);
});
it('asks for trends as their address says: each series with its measure and conditions', () => {
  expect(asked({})).toEqual({ kind: 'trends', ...span, series: [{}], bucket: '1d' });
  const series = [{ event: 'purchased', measure: 'sum', prop: 'amount', filter }, { measure: 'users', rolling_days: 7 }, { any_of: [{ event: 'a' }, { event: 'b', filter }], cumulative: true }, { event: 'sign_up', first_time: true }];
  expect(asked({ series, formulas: [{ expression: 'A / B', percent: true }], by: 'profile:plan', top: 3, filter, unit: 'company' })).toEqual({
    kind: 'trends', ...span, filter, count_groups: 'company', series, formulas: [{ expression: 'A / B' }], bucket: '1d', breakdown: [{ by: 'profile', prop: 'plan' }], top: 3,
  });
  expect(asked({ by: 'name', series: [{ event: 'a' }, { event: 'b' }], range: '24h' })).toMatchObject({ bucket: '1h', breakdown: [{ by: 'name' }], top: 10 });
  // People of several days have none of an hour.
  expect(asked({ range: '24h', series: [{ measure: 'users', rolling_days: 30 }] })).toMatchObject({ bucket: '1d' });
  expect(asked({ range: '90d', bucket: '1m' })).toMatchObject({ bucket: '1d' }); // an answer would not hold it
});
it('reads a link to events and a measure of them, as trends had it before', () => {
  expect(read({ names: ['a', 'a', 3, ''], measure: 'p95', prop: 'ms', by: 'prop:country', top: 5 })).toEqual({ range: '30d', tz: 'UTC', series: [{ event: 'a', measure: 'p95', prop: 'ms' }], by: 'prop:country', top: 5 });
  expect(read({ names: ['a', 'b'], by: 'name', measure: 'users' })).toMatchObject({ series: [{ event: 'a', measure: 'users' }, { event: 'b', measure: 'users' }] });
  expect(read({ names: ['a', 'b'], by: 'name' })).not.toHaveProperty('by');
  expect(read({ names: ['a', 'b'] })).toMatchObject({ series: [{ any_of: [{ event: 'a' }, { event: 'b' }] }] });
  expect(read({ names: 'x', measure: 'evil', by: 'country', top: 101, filter: { op: 'eq' }, range: '-1d', from: 'x', chart: 'pie', bucket: '2d', compare: 'yes', series: [3], hidden: 'ab' })).toEqual({ range: '30d', tz: 'UTC' });
});
it('is not asked before each series says what it measures', () => {
  expect(isComplete(read({ series: [{}, { measure: 'sum' }] }))).toBe(false);
  expect(isComplete(read({ series: [{}, { measure: 'sum', prop: 'amount' }] }))).toBe(true);
});
it('a zoom is left for the range before the first, however often one zoomed', () => {
  const [first, second] = [{ from: '2026-11-01T00:00:00Z', to: '2026-11-08T00:00:00Z' }, { from: '2026-11-02T00:00:00Z', to: '2026-11-03T00:00:00Z' }];
  const once = read({ ...zoomed({ range: '30d' }, first), bucket: undefined });
  const twice = read({ ...once, ...zoomed(once as never, second) });
  expect(twice).toMatchObject({ from: second.from, unzoom: '30d' });
  expect(read({ ...twice, ...unzoomed(twice as never) })).toEqual({ range: '30d', tz: 'UTC' });
  expect(unzoomed(zoomed(first, second))).toMatchObject(first);
  expect(read({ unzoom: 'banana' })).not.toHaveProperty('unzoom');
});
it('ends a relative range with the hour or day that is running, in the zone of the question', () => {
  expect(instantsOf({ range: '24h' }, 'UTC', now)).toEqual({ from: '2026-11-09T15:00:00.000Z', to: '2026-11-10T15:00:00.000Z' });
  expect(instantsOf({ range: '24h' }, 'Asia/Kolkata', now)).toEqual({ from: '2026-11-09T14:30:00.000Z', to: '2026-11-10T14:30:00.000Z' });
  expect(instantsOf({ range: '7d' }, 'Pacific/Auckland', now)).toEqual({ from: '2026-11-04T11:00:00.000Z', to: '2026-11-11T11:00:00.000Z' });
  expect(instantsOf({ range: '12mo' }, 'UTC', now)).toEqual({ from: '2025-12-01T00:00:00.000Z', to: '2026-11-11T00:00:00.000Z' });
  expect(instantsOf({ from: 'a', to: 'b' }, 'UTC', now)).toEqual({ from: 'a', to: 'b' });
});
it('knows the ranges of the calendar, none of which reaches past today, and what comes before them', () => {
  const days = (range: string, week?: 'sunday') => Object.values(instantsOf({ range }, 'UTC', now, week)).map((at) => at.slice(0, 10));
  expect(days('today')).toEqual(['2026-11-10', '2026-11-11']);
  expect(days('yesterday')).toEqual(['2026-11-09', '2026-11-10']);
  expect(days('this_week')).toEqual(['2026-11-09', '2026-11-11']); // it is a Tuesday
  expect(days('last_week')).toEqual(['2026-11-02', '2026-11-09']);
  expect(days('last_week', 'sunday')).toEqual(['2026-11-01', '2026-11-08']);
  expect(days('last_month')).toEqual(['2026-10-01', '2026-11-01']);
  expect(days('this_quarter')).toEqual(['2026-10-01', '2026-11-11']);
  expect(days('last_quarter')).toEqual(['2026-07-01', '2026-10-01']);
  expect(days('this_year')).toEqual(['2026-01-01', '2026-11-11']);
  expect(unitBefore({ range: 'last_month' }, 'Europe/Berlin', 'monday', now)).toEqual({ from: '2026-08-31T22:00:00.000Z', to: '2026-09-30T22:00:00.000Z' });
  expect(unitBefore({ range: '7d' }, 'UTC')).toBeUndefined();
});
it('says the whole question in its title', () => {
  expect(titleOf(read({ kind: 'funnel', steps: [{ event: 'a', filter }, { event: 'b' }], window: 5400, by: 'prop:source', filter }))).toBe('Funnel a where plan is pro → b within 90 minutes where plan is pro by source');
  expect(titleOf(read({ kind: 'retention', start: { event: 'a' }, bucket: '1d' }))).toBe('Retention of a, back with any event by day');
  expect(titleOf(read({ names: ['purchased'], measure: 'sum', prop: 'amount', by: 'prop:source', filter }))).toBe('Sum of amount of purchased where plan is pro by source');
  expect(titleOf(read({ series: [{ event: 'b' }, { event: 'a', filter }], formulas: [{ expression: 'A / B' }], hidden: 'AB' }))).toBe('(Number of events of b) / (Number of events of a where plan is pro)');
  expect(titleOf(read({ kind: 'paths', start: { event: 'a' }, end: { node: '/b' } }))).toBe('Paths after a before /b');
});
