/** Saved reports and the state of the explorer: the one made of the other, both ways. */
import type { Report } from '@nimbus-analytics/sdk';
import { hashKey } from '@tanstack/react-query';
import { questionOf } from './question';
import { rangeOf } from './range';
import { parseExplore, type ExploreState } from './search';

type Kept = Pick<Report, 'question' | 'view'>;

/** What to keep of a state, or nothing while it is no question yet. */
export function reportOf(s: ExploreState): Kept | undefined {
  const asked = questionOf(s, '');
  if (!asked) return undefined;
  const { project_id: _, ...question } = asked;
  return { question, view: { chart: s.chart ?? 'line', compare: s.compare ?? false } };
}

/** The state that asks and draws what was kept. */
export function stateOf({ question: q, view }: Kept): ExploreState {
  return parseExplore({
    ...rangeOf(q),
    names: q.names,
    measure: q.measure,
    prop: q.prop,
    by: q.breakdown === 'prop' ? `prop:${q.breakdown_prop}` : q.breakdown,
    top: q.top,
    filter: q.filter,
    tz: q.tz ?? 'UTC',
    compare: view.compare,
    chart: view.chart,
  });
}

/** Whether a state asks or draws something else than the report it began as. */
export const differs = (s: ExploreState, report: Kept) => hashKey([reportOf(s)]) !== hashKey([reportOf(stateOf(report))]);
