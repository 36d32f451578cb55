/** The sessions of a person by days, and the one of a moment. */
import type { PersonSession } from '@nimbus-analytics/sdk';

export interface Day {
  day: string;
  sessions: PersonSession[];
}

/** A session belongs to the day on which it began, even past midnight. */
export function daysOf(sessions: readonly PersonSession[], dayOf: (ts: string) => string): Day[] {
  const days: Day[] = [];
  for (const session of sessions) {
    const day = dayOf(session.start);
    if (days.at(-1)?.day !== day) days.push({ day, sessions: [] });
    days.at(-1)!.sessions.push(session);
  }
  return days;
}

/** The session in which a moment is, or the last one before it. The latest come first; undefined when all of them begin later. */
export const sessionAt = (sessions: readonly PersonSession[], at: string): PersonSession | undefined => sessions.find((session) => Date.parse(session.start) <= Date.parse(at));

/** The event of a session at a moment: the first one at that very moment, else the last one before it. */
export function eventAt(session: PersonSession, at: string): number {
  const wanted = Date.parse(at);
  const exact = session.timeline.findIndex((event) => Date.parse(event.ts) === wanted);
  return exact >= 0 ? exact : session.timeline.findLastIndex((event) => Date.parse(event.ts) <= wanted);
}
