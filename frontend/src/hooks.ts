/** What several pages ask: the project at hand, and the names that its events and properties have. */
import type { Project, Role } from '@nimbus-analytics/sdk';
import { getProjectOptions, listBoardsOptions, listEventsOptions, listProjectsInfiniteOptions, getReportOptions, listReportsOptions, queryMetricsOptions } from '@nimbus-analytics/sdk/react-query';
import { infiniteQueryOptions, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { useEffect, useMemo } from 'react';
import { queryClient } from './api';
import { m } from './messages';

/** The projects of the account, 200 a page, the newest first. */
export const projectsOptions = infiniteQueryOptions({
  ...listProjectsInfiniteOptions({ query: { limit: 200 } }),
  initialPageParam: {},
  getNextPageParam: (page) => page.next_cursor ?? undefined,
});

/** Those that are loaded: the first page, and all of them where `all` asks for the others too. */
export function useProjects({ all = false } = {}): Project[] {
  const { data, hasNextPage, isFetching, isError, fetchNextPage } = useInfiniteQuery(projectsOptions);
  useEffect(() => {
    if (all && hasNextPage && !isFetching && !isError) void fetchNextPage();
  }, [all, hasNextPage, isFetching, isError, fetchNextPage]);
  return useMemo(() => data?.pages.flatMap((page) => page.items) ?? [], [data]);
}

export function useProjectId(): string {
  return useParams({ strict: false }).projectId ?? '';
}

/** The project at hand; asked for alone when it is on none of the pages that are loaded. */
export function useProject(): Project | undefined {
  const id = useProjectId();
  const listed = useProjects().find((p) => p.id === id);
  const alone = useQuery({ ...getProjectOptions({ path: { project_id: id } }), enabled: id !== '' && listed === undefined });
  return id === '' ? undefined : (listed ?? alone.data);
}

const ranks: Record<Role, number> = { viewer: 0, admin: 1, owner: 2 };

/** Whether the account's role in the project at hand is at least this one. The server decides; this is for what to show. */
export function useCan(): (least: Role) => boolean {
  const role = useProject()?.role ?? 'viewer';
  return (least) => ranks[role] >= ranks[least];
}

/** A saved report, all of them, and the boards of a project. */
export const useReport = (project_id: string, report_id = '') => useQuery({ ...getReportOptions({ path: { project_id, report_id } }), enabled: report_id !== '' });
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

/**
 * The title of the page, with that of the project: tabs of several stand beside each other. The project was loaded before
 * the page was. Its query is only looked into: whoever watched it on the login page and went would cancel its first load.
 */
export function useTitle(title: string) {
  const id = useProjectId();
  useEffect(() => {
    const listed = queryClient.getQueryData(projectsOptions.queryKey)?.pages.flatMap((page) => page.items).find((p) => p.id === id);
    const project = listed ?? queryClient.getQueryData(getProjectOptions({ path: { project_id: id } }).queryKey);
    document.title = [title, project?.name, m.app].filter(Boolean).join(' · ');
  }, [title, id]);
}
