/** What several pages ask: the project at hand, and the names that its events and properties have. */
import { listBoardsOptions, listEventsOptions, listProjectsOptions, listReportsOptions, queryMetricsOptions } from '@nimbus-analytics/sdk/react-query';
import { useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { useEffect } from 'react';
import { queryClient } from './api';
import { m } from './messages';

export const useProjects = () => useQuery(listProjectsOptions({ query: { limit: 200 } })).data?.items ?? [];

export function useProjectId(): string {
  return useParams({ strict: false }).projectId ?? '';
}

export function useProject() {
  const id = useProjectId();
  return useProjects().find((p) => p.id === id);
}

/** Whether this account may save reports and boards here; the server decides, this only hides what it would refuse. */
export const useCanEdit = () => useProject()?.role !== 'viewer';

/** The saved reports and the boards of a project. */
export const useReports = (project_id: string) => useQuery({ ...listReportsOptions({ path: { project_id } }), enabled: project_id !== '' });
export const useBoards = (project_id: string) => useQuery({ ...listBoardsOptions({ path: { project_id } }), enabled: project_id !== '' });
export const refreshReports = () => queryClient.invalidateQueries({ queryKey: [{ tags: ['Reports'] }] });

/** The names of events, the most frequent of the last 90 days first; and how often each came. */
export function useEventNames() {
  const project_id = useProjectId();
  const q = useQuery({
    ...queryMetricsOptions({ query: { project_id, bucket: '1d', limit: 90, breakdown: 'name', top: 100 } }),
    enabled: project_id !== '',
    staleTime: 60_000,
  });
  return (q.data?.groups ?? []).filter((g) => !g.other && g.value !== null && (g.total ?? 0) > 0).map((g) => g.value as string);
}

/** The properties that the latest events have, and of which of them the values are numbers. */
export function usePropNames(): { all: string[]; numeric: string[] } {
  const project_id = useProjectId();
  const q = useQuery({ ...listEventsOptions({ query: { project_id, limit: 200 } }), enabled: project_id !== '', staleTime: 60_000 });
  const seen = new Map<string, boolean>();
  for (const event of q.data?.items ?? []) for (const [name, value] of Object.entries(event.props)) seen.set(name, (seen.get(name) ?? false) || typeof value === 'number');
  const all = [...seen.keys()].sort();
  return { all, numeric: all.filter((name) => seen.get(name)) };
}

export function useTitle(title: string) {
  useEffect(() => {
    document.title = `${title} · ${m.app}`;
  }, [title]);
}
