/** What the pickers offer: what a project's events are known to have, with how often each was sent, and what was picked last. */
import { useEventsByName, usePropNames } from '../hooks';
import { storage } from '../lib/storage';

export interface Known {
  value: string;
  count?: number;
}

/** The names of events, the most frequent first. */
export const useEvents = (): Known[] => useEventsByName().map(({ name, events }) => ({ value: name, count: events }));

export const useProps = (): Known[] => usePropNames().all.map((value) => ({ value }));

const mostRecent = 5;
const key = (projectId: string, what: string) => `nimbus.recent.${what}.${projectId}`;

/** What was picked last in this browser, the latest first. */
export function recent(projectId: string, what: string): string[] {
  try {
    const kept: unknown = JSON.parse(storage.get(key(projectId, what)) ?? '[]');
    return Array.isArray(kept) ? kept.filter((x) => typeof x === 'string') : [];
  } catch {
    return [];
  }
}
export const remember = (projectId: string, what: string, value: string) =>
  storage.set(key(projectId, what), JSON.stringify([value, ...recent(projectId, what).filter((x) => x !== value)].slice(0, mostRecent)));
