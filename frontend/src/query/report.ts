/** Converts between a saved report and the state of a question. */
import type { Report } from '@nimbus-analytics/sdk';
import { hashKey } from '@tanstack/react-query';
import { questionOf } from './question';
import { rangeOf } from './range';
import { parseExplore, usualTop, type ExploreState } from './search';

type Kept = Pick<Report, 'question' | 'view'>;

/** The part of a state that is saved; undefined while it is no question yet. */
export function reportOf(s: ExploreState): Kept | undefined {
  const asked = questionOf(s, '');
  if (!asked) return undefined;
  const { project_id: _, ...question } = asked;
  return { question, view: { chart: s.chart ?? 'line', compare: s.compare ?? false } };
}

/** The state of a saved report. */
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

/**
 * Whether a state differs from its saved report. A report that another program saved may not be shown exactly: it then
 * differs from the start, because saving would change it.
 */
export const differs = (s: ExploreState, report: Kept) => hashKey([spelled(reportOf(s))]) !== hashKey([spelled(report)]);

/** With the defaults of the contract filled in. */
function spelled(kept: Kept | undefined) {
  if (!kept) return undefined;
  const { from, to, limit = from || to ? undefined : 24, bucket = '1h', tz = 'UTC', measure = 'count', top = usualTop, names = [], ...rest } = kept.question;
  const at = (instant: string | undefined) => instant && Date.parse(instant);
  return [{ from: at(from), to: at(to), limit, bucket, tz, measure, top, names, ...rest }, { compare: false, ...kept.view }];
}
