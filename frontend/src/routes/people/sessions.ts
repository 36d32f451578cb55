/** Groups a person's events, newest first, into days and sessions. A session ends after 30 minutes without an event. */
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
  const visits: Visit[] = [];
  for (const event of events) {
    let visit = visits.at(-1);
    // The list runs backwards: the previous element is the later event.
    if (!visit || Date.parse(visit.events.at(-1)!.ts) - Date.parse(event.ts) > pause) visits.push((visit = { events: [], ms: 0 }));
    visit.events.push(event);
    visit.ms = Date.parse(visit.events[0]!.ts) - Date.parse(event.ts);
  }
  const days: Day[] = [];
  for (const visit of visits) {
    const day = dayOf(beginOf(visit));
    if (days.at(-1)?.day !== day) days.push({ day, visits: [] });
    days.at(-1)!.visits.push(visit);
  }
  return days;
}

/** The begin of a session. The session belongs to that day, even past midnight. */
export const beginOf = (visit: Visit): string => visit.events.at(-1)!.ts;
