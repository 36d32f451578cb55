/** The conditions of the list of events in the address. */
import { clean, typed, type Fields } from '../../lib/read';
import { parseRange, type Range } from '../../query/range';

export interface EventsState extends Range {
  name?: string;
  user?: string;
  /** Properties and their values, such as plan=pro: an event has all of them. */
  prop?: string[];
  /** The event that is open. */
  event?: string;
}

export function parseEvents(s: Fields): EventsState {
  const props = [...new Set([s['prop']].flat().flatMap((x) => typed(x, 500) ?? []))].slice(0, 20);
  return clean<EventsState>({ ...parseRange(s, '30d'), name: typed(s['name'], 200), user: typed(s['user'], 200), prop: props.length > 0 ? props : undefined, event: typed(s['event'], 64) });
}
