/** What is known of a project's events, for the pickers: names, properties and values, with how often each was sent. */
import type { MetricsQuery } from '@nimbus-analytics/sdk';
import { runMetricsQueryOptions } from '@nimbus-analytics/sdk/react-query';
import { useQuery } from '@tanstack/react-query';
import { useProjectId, usePropNames } from '../hooks';
import { storage } from '../lib/storage';

export interface Known {
  value: string;
  count?: number;
}

function useCounts(question: Partial<MetricsQuery>, enabled: boolean): Known[] {
  const project_id = useProjectId();
  const q = useQuery({
    ...runMetricsQueryOptions({ body: { project_id, bucket: '1d', limit: 90, top: 100, ...question } }),
    enabled: enabled && project_id !== '',
    staleTime: 60_000,
  });
  return (q.data?.groups ?? []).flatMap((g) => (g.other || g.value === null || !g.total ? [] : [{ value: g.value, count: g.total }]));
}

/** The events of the last 90 days, the most frequent first. */
export const useEvents = () => useCounts({ breakdown: 'name' }, true);

/** The values of a property in the last 90 days, the most frequent first. */
export const useValues = (prop: string) => useCounts({ breakdown: 'prop', breakdown_prop: prop }, prop !== '');

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
