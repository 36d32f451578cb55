/** What the address of a board says: whether it is changed, and the range and the conditions over all its tiles. */
import type { MetricsFilter } from '@nimbus-analytics/sdk';
import { clean } from '../../lib/read';
import { parseFilter } from '../../query/filter';
import { parseRange, type Range } from '../../query/range';

export interface BoardSearch extends Range {
  edit?: boolean;
  filter?: MetricsFilter;
}

export function parseBoard(s: Record<string, unknown>): BoardSearch {
  const range = parseRange(s, '');
  return clean<BoardSearch>({ edit: s['edit'] === true || undefined, ...(range.range !== '' && range), filter: parseFilter(s['filter']) });
}
