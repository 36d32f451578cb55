/** The conditions of the list of events in the address. */
import { parseRange, type Range } from '../../query/range';

export interface EventsState extends Range {
  name?: string;
  user?: string;
  /** A property and its value, such as plan=pro. */
  prop?: string;
  /** The event that is open. */
  event?: string;
}

const text = (x: unknown, max: number) => (typeof x === 'string' && x !== '' && x.length <= max ? x : typeof x === 'number' ? String(x) : undefined);

export function parseEvents(s: Record<string, unknown>): EventsState {
  const state = { ...parseRange(s, '30d'), name: text(s['name'], 200), user: text(s['user'], 200), prop: text(s['prop'], 500), event: text(s['event'], 64) };
  return Object.fromEntries(Object.entries(state).filter(([, v]) => v !== undefined)) as EventsState;
}
