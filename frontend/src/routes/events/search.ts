/** The conditions of the list of events in the address. */
import { parseRange, type Range } from '../../query/range';

export interface EventsState extends Range {
  name?: string;
  user?: string;
  /** Properties and their values, such as plan=pro: an event has all of them. */
  prop?: string[];
  /** The event that is open. */
  event?: string;
}

const text = (x: unknown, max: number) => (typeof x === 'string' && x !== '' && x.length <= max ? x : typeof x === 'number' ? String(x) : undefined);

export function parseEvents(s: Record<string, unknown>): EventsState {
  const props = [...new Set([s['prop']].flat().flatMap((x) => text(x, 500) ?? []))].slice(0, 20);
  const state = { ...parseRange(s, '30d'), name: text(s['name'], 200), user: text(s['user'], 200), prop: props.length > 0 ? props : undefined, event: text(s['event'], 64) };
  return Object.fromEntries(Object.entries(state).filter(([, v]) => v !== undefined)) as EventsState;
}
