/** The events of a list as a file. */
import { listEvents, type StoredEvent } from '@nimbus-analytics/sdk';
import { cellOf } from '../../lib/download';
import type { queryOf } from './query';

/** The most events of one file: it is made in the page. */
export const mostExported = 10_000;
const pageSize = 1000;

/** All events that match, the newest first, up to the limit; and whether there are more. */
export async function eventsOf(query: ReturnType<typeof queryOf>): Promise<{ events: StoredEvent[]; more: boolean }> {
  const events: StoredEvent[] = [];
  let cursor: string | undefined;
  do {
    const { data } = await listEvents({ query: { ...query, limit: pageSize, ...(cursor && { cursor }) }, throwOnError: true });
    events.push(...data.items);
    cursor = data.next_cursor ?? undefined;
  } while (cursor && events.length < mostExported);
  return { events: events.slice(0, mostExported), more: cursor !== undefined || events.length > mostExported };
}

/** A row for each event, and a column for each property that one of them has. */
export function rowsOf(events: readonly StoredEvent[]): (string | number | null)[][] {
  const names = [...new Set(events.flatMap((e) => Object.keys(e.props)))].sort();
  return [
    ['ts', 'name', 'user_id', 'anonymous_id', 'id', 'received_at', ...names.map((name) => `props.${name}`)],
    ...events.map((e) => [e.ts, e.name, e.user_id ?? null, e.anonymous_id ?? null, e.id, e.received_at, ...names.map((name) => cellOf(e.props[name]))]),
  ];
}
