/** What a question keeps when it becomes one of another kind. */
import type { Anchor, Step, TrendsSeries } from '@nimbus-analytics/sdk';
import { clean } from '../lib/read';
import { parseInsight, type InsightState, type Kind } from './state';
import { seriesOf } from './trends';

/** The events that a question names, in its order. */
export function eventsOf(s: InsightState): Step[] {
  const named = (steps: (Step | Anchor | undefined)[]) => steps.filter((x): x is Step => x !== undefined && 'event' in x && x.event !== undefined);
  const stepsOf = ({ event, filter, any_of }: Pick<TrendsSeries, 'event' | 'filter' | 'any_of'>) => any_of ?? [clean({ event, filter }) as Step];
  switch (s.kind) {
    case undefined:
      return named(seriesOf(s).flatMap(stepsOf));
    case 'funnel':
      return named(s.steps.flatMap(stepsOf));
    case 'retention':
      return named([s.start, s.return]);
    case 'paths':
      return named([s.start, s.end]);
    case 'sessions':
      return [];
    default:
      return named([s.event === undefined ? undefined : { event: s.event }]);
  }
}

/** The question as another kind: the range, the zone, the conditions, who is asked and counted, and the events stay, and the breakdown and the period where both have them. */
export function asKind(s: InsightState, kind: Kind): InsightState {
  const events = eventsOf(s);
  const [first, second] = events;
  const names = [...new Set(events.map((step) => step.event!))];
  const only = names.length === 1 ? names[0] : undefined;
  const series = events.filter((step, i) => events.findIndex((x) => JSON.stringify(x) === JSON.stringify(step)) === i);
  return parseInsight({
    kind,
    ...clean({ range: s.range, from: s.from, to: s.to, tz: s.tz, filter: s.filter, cohort: s.cohort, unit: s.unit, by: s.by, bucket: 'bucket' in s ? s.bucket : undefined }),
    ...(kind === 'trends' && { series }),
    ...(kind === 'funnel' && { steps: events.length > 1 ? events : [events[0] ?? {}, {}] }),
    ...(kind === 'retention' && { start: first, return: second }),
    ...(kind === 'paths' && { start: first }),
    ...((kind === 'lifecycle' || kind === 'stickiness') && { event: only }),
  });
}
