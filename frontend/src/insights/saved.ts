/** The state of a saved insight, and of a question as it is asked: what the page shows of it. */
import type { InsightView, MetricsInsight, SavedQuestion, TrendsInsight } from '@nimbus-analytics/sdk';
import { isObject, type Fields } from '../lib/read';
import { projectZone } from '../prefs';
import { autoBucket, rangeOf } from '../query/range';
import { kinds, parseInsight, type InsightState } from './state';

/** How many groups a question has that does not say it. */
const contractTop = 10;

export interface Kept {
  question: SavedQuestion;
  view: InsightView;
}

/** The state of an address. A link may name a question as it is asked instead, and the number of it whose people are shown. */
export function stateOfAddress(s: Fields): InsightState {
  const question = s['question'] as SavedQuestion | undefined;
  if (!isObject(question)) return parseInsight(s);
  return parseInsight({ ...stateOf({ question: question as SavedQuestion, view: {} }), at: s['at'] });
}

/** Undefined for a kind that the page does not ask. A range that was relative when it was saved is relative again. */
export function stateOf({ question, view }: Kept): InsightState | undefined {
  const drawn = { chart: view['chart'], compare: view['compare'], hidden: view['hidden'] };
  if (question.kind === 'metrics') return parseInsight({ ...ofMetrics(question), ...drawn });
  if (!(kinds as readonly string[]).includes(question.kind)) return undefined;
  const q: Fields = { ...question };
  const range = typeof view['range'] === 'string' ? { range: view['range'], from: undefined, to: undefined } : {};
  const tz = q['tz'] ?? projectZone.get();
  const people = question.people?.op === 'in' ? question.people.cohort : undefined;
  const common = { ...q, ...range, tz, cohort: people, unit: question.count_groups };
  if (question.kind === 'trends') return parseInsight({ ...common, ...ofTrends(question, view, 'range' in range ? range : question), ...drawn });
  const breakdown = isObject(q['breakdown']) ? q['breakdown'] : undefined;
  return parseInsight({
    ...common,
    bucket: view['bucket'] === 'auto' ? undefined : q['bucket'],
    periods: view['periods'] === 'auto' ? undefined : q['periods'],
    window: q['window_seconds'],
    node: q['node_prop'],
    repeats: q['collapse'] === false,
    starts: q['cohort'],
    by: byOf(breakdown),
    top: question.kind === 'paths' ? q['top'] : breakdown && (breakdown['top'] ?? contractTop),
    of: breakdown?.['attribution'] === 'step' ? breakdown['step'] : breakdown?.['attribution'],
    least: view['least'] === true,
    view: 'histogram' in question && question.histogram ? 'time' : question.kind === 'funnel' && question.bucket ? 'series' : undefined,
  });
}

const byOf = (breakdown: Fields | undefined) => {
  const of = (['prop', 'profile'] as const).find((name) => typeof breakdown?.[name] === 'string');
  return of && `${of}:${breakdown![of] as string}`;
};

function ofTrends(q: TrendsInsight, view: InsightView, range: { range?: string; from?: string | undefined; to?: string | undefined }): Fields {
  const by = q.breakdown?.[0];
  const percent = Array.isArray(view['percent']) ? (view['percent'] as unknown[]) : [];
  const bucket = q.bucket ?? '1h';
  return {
    formulas: q.formulas?.map((formula, i) => ({ ...formula, percent: percent.includes(i) })),
    by: by && (by.by === 'name' ? 'name' : by.prop === undefined ? undefined : `${by.by ?? 'prop'}:${by.prop}`),
    bucket: view['bucket'] === 'auto' || autoBucket(range) === bucket ? undefined : bucket,
  };
}

/** A question of `/v1/metrics/query` is one series of trends, or several when it is broken down by the events that it names. */
const ofMetrics = (q: MetricsInsight): Fields => ({
  ...rangeOf(q),
  names: q.names,
  measure: q.measure,
  prop: q.prop,
  by: q.breakdown === 'prop' ? `prop:${q.breakdown_prop}` : q.breakdown,
  top: q.top,
  filter: q.filter,
  tz: q.tz ?? projectZone.get(),
});
