/** The range and the conditions that lie over all tiles of a board; they are in its address. */
import type { MetricsFilter } from '@nimbus-analytics/sdk';
import { listCataloguePropsOptions } from '@nimbus-analytics/sdk/react-query';
import { useQueries } from '@tanstack/react-query';
import { useProjectId } from '../../hooks';
import { eventsOf } from '../../insights/kinds';
import type { InsightState } from '../../insights/state';
import type { Condition } from '../../query/filter';
import type { BoardSearch } from './search';

export type Over = Omit<BoardSearch, 'edit'>;

/** An insight in the range of the board, with its own conditions and those of the board. */
export function over(s: InsightState, { filter, ...range }: Over): InsightState {
  const both = s.filter && filter ? ({ op: 'and', filters: [s.filter, filter] } as MetricsFilter) : (s.filter ?? filter);
  const placed = range.range || range.from ? { ...s, range: undefined, from: undefined, to: undefined, ...range, ...('bucket' in s && { bucket: undefined }) } : s;
  return { ...placed, ...(both && { filter: both }) } as InsightState;
}

/** The properties that conditions look at. */
export function propsOf(filter: MetricsFilter | undefined): string[] {
  if (!filter) return [];
  if (filter.op === 'and' || filter.op === 'or') return [...new Set(filter.filters.flatMap(propsOf))];
  return filter.op === 'not' ? propsOf(filter.filter) : [(filter as Condition).prop];
}

/** The properties of the board's conditions that some event of an insight does not have: with them, it would be empty, and not filtered. */
export function useUnfiltered(s: InsightState, filter: MetricsFilter | undefined): string[] {
  const project_id = useProjectId();
  const props = propsOf(filter);
  const events = props.length > 0 ? [...new Set(eventsOf(s).map((step) => step.event!))] : [];
  const known = useQueries({ queries: events.map((event) => ({ ...listCataloguePropsOptions({ query: { project_id, limit: 1000, event } }), staleTime: 60_000 })) });
  return props.filter((prop) => known.some(({ data }) => data !== undefined && !data.items.some((item) => item.prop === prop)));
}
