/** Converts between a saved insight and the state of a question of Explore, which is of the kind `metrics`. */
import type { InsightView, MetricsInsight, SavedInsight } from '@nimbus-analytics/sdk';
import { hashKey } from '@tanstack/react-query';
import { projectZone } from '../prefs';
import { questionOf } from './question';
import { rangeOf } from './range';
import { charts, parseExplore, usualTop, type Chart, type ExploreState } from './search';

interface Kept {
  question: MetricsInsight;
  view: InsightView;
}
export type Explored = SavedInsight & Kept;

/** Whether Explore can show an insight. */
export const isExplored = (insight: SavedInsight): insight is Explored => insight.question.kind === 'metrics';

/** How an answer is drawn; other programs may have saved anything. */
export function viewOf(view: InsightView): { chart: Chart; compare: boolean } {
  return { chart: charts.find((c) => c === view['chart']) ?? 'line', compare: view['compare'] === true };
}

/** The part of a state that is saved; undefined while it is no question yet. */
export function reportOf(s: ExploreState): Kept | undefined {
  const asked = questionOf(s, '');
  if (!asked) return undefined;
  const { project_id: _, ...question } = asked;
  return { question: { kind: 'metrics', ...question }, view: { chart: s.chart ?? 'line', compare: s.compare ?? false } };
}

/** The state of a saved insight. */
export function stateOf({ question: q, view }: Kept): ExploreState {
  return parseExplore({
    ...rangeOf(q),
    names: q.names,
    measure: q.measure,
    prop: q.prop,
    by: q.breakdown === 'prop' ? `prop:${q.breakdown_prop}` : q.breakdown,
    top: q.top,
    filter: q.filter,
    tz: q.tz ?? projectZone.get(),
    ...viewOf(view),
  });
}

/**
 * Whether a state differs from its saved insight. An insight that another program saved may not be shown exactly: it then
 * differs from the start, because saving would change it.
 */
export const differs = (s: ExploreState, insight: Kept) => hashKey([spelled(reportOf(s))]) !== hashKey([spelled(insight)]);

/** With the defaults of the contract filled in. */
function spelled(kept: Kept | undefined) {
  if (!kept) return undefined;
  const { from, to, limit = from || to ? undefined : 24, bucket = '1h', tz = projectZone.get(), measure = 'count', top = usualTop, names = [], ...rest } = kept.question;
  const at = (instant: string | undefined) => instant && Date.parse(instant);
  return [{ from: at(from), to: at(to), limit, bucket, tz, measure, top, names, ...rest }, viewOf(kept.view)];
}
