/** A person's events, newest first, as days and visits: a visit ends when nothing happens for half an hour. */
import type { StoredEvent } from '@nimbus-analytics/sdk';

const pause = 30 * 60_000;

export interface Visit {
  events: StoredEvent[];
  /** How long it took, from the first event to the last. */
  ms: number;
}
export interface Day {
  day: string;
  visits: Visit[];
}

export function daysOf(events: readonly StoredEvent[], dayOf: (ts: string) => string): Day[] {
  const days: Day[] = [];
  let before: StoredEvent | undefined; // the one that happened after, since the list runs backwards
  for (const event of events) {
    const day = dayOf(event.ts);
    const sameDay = days.at(-1)?.day === day;
    if (!sameDay) days.push({ day, visits: [] });
    const visits = days.at(-1)!.visits;
    if (!sameDay || !before || Date.parse(before.ts) - Date.parse(event.ts) > pause) visits.push({ events: [], ms: 0 });
    const visit = visits.at(-1)!;
    visit.events.push(event);
    visit.ms = Date.parse(visit.events[0]!.ts) - Date.parse(event.ts);
    before = event;
  }
  return days;
}
