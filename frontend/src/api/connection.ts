/** Whether the server can be reached. The banner watches it, and asks until the server answers again. */
import { getHealth, NimbusError, type Health } from '@nimbus-analytics/sdk';
import { useSyncExternalStore } from 'react';
import { signal } from '../lib/signal';

let away = false;
const { watch, notify } = signal();
const isAway = () => away || !navigator.onLine;

export const connection = {
  isAway,
  watch,
  set: (next: boolean) => {
    if (away === next) return;
    away = next;
    notify();
  },
};
export const useAway = () => useSyncExternalStore(watch, isAway);

addEventListener('offline', () => connection.set(true));
addEventListener('online', notify); // the server may still be away: its next answer decides

// A 503 with another code (timeout, busy) comes from a server that is there.
const away503 = ['database_unavailable', 'shutting_down', 'http_503'];

/** Whether an error says that the server, its database or the network is away. */
export const isUnreachable = (error: unknown) => error instanceof NimbusError && ([0, 502, 504].includes(error.status) || away503.includes(error.code));

/** The server's readiness. A server that is not ready answers 503 with the reasons in the body: that is an answer, not an error. */
export async function readiness(): Promise<Health> {
  const answered = async (request: RequestInfo | URL) => {
    const response = await fetch(request);
    const health = (await response.clone().json().catch(() => null)) as Partial<Health> | null;
    return health?.checks ? Response.json(health) : response;
  };
  return (await getHealth({ auth: undefined, fetch: answered })).data;
}
