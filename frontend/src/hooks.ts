/** What several pages ask: the current project, the role in it, the names of its events and properties, and the ways to log in. */
import type { Project, Role, SavedInsightList } from '@nimbus-analytics/sdk';
import { getProjectOptions, listBoardsOptions, listCohortsOptions, listEventsOptions, listProjectsInfiniteOptions, getInsightOptions, listInsightsOptions, queryMetricsOptions } from '@nimbus-analytics/sdk/react-query';
import { infiniteQueryOptions, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { useCallback, useEffect, useMemo } from 'react';
import { queryClient, session } from './api';
import { m } from './messages';
import { useGoing } from './saved/removal';

/** The projects of the account, newest first, 200 per page. */
export const projectsOptions = infiniteQueryOptions({
  ...listProjectsInfiniteOptions({ query: { limit: 200 } }),
  initialPageParam: {},
  getNextPageParam: (page) => page.next_cursor ?? undefined,
});

/** The projects loaded so far: the first page, or with `all` every page. */
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

/** The current project; asked for alone when it is on no loaded page of the list. */
export function useProject(): Project | undefined {
  const id = useProjectId();
  const listed = useProjects().find((p) => p.id === id);
  const alone = useQuery({ ...getProjectOptions({ path: { project_id: id } }), enabled: id !== '' && listed === undefined });
  return id === '' ? undefined : (listed ?? alone.data);
}

/** A project that is in the cache, for who must not wait for it or subscribe to it. */
export const knownProject = (id: string): Project | undefined =>
  queryClient.getQueryData(projectsOptions.queryKey)?.pages.flatMap((page) => page.items).find((p) => p.id === id) ?? queryClient.getQueryData(getProjectOptions({ path: { project_id: id } }).queryKey);

const ranks: Record<Role, number> = { viewer: 0, admin: 1, owner: 2 };

/** Whether the account has at least a role in the current project. It decides what to show; the server decides what is allowed. */
export function useCan(): (least: Role) => boolean {
  const role = useProject()?.role ?? 'viewer';
  return (least) => ranks[role] >= ranks[least];
}

/** A saved insight, all of them, and the boards of a project. */
export const useReport = (project_id: string, insight_id = '') => useQuery({ ...getInsightOptions({ path: { project_id, insight_id } }), enabled: insight_id !== '' });
export function useReports(project_id: string) {
  const going = useGoing();
  const select = useCallback((list: SavedInsightList) => ({ items: list.items.filter((insight) => !going.has(insight.id)) }), [going]);
  return useQuery({ ...listInsightsOptions({ path: { project_id } }), enabled: project_id !== '', select });
}
/** The saved cohorts of a project. */
export const useCohorts = (project_id: string) => useQuery({ ...listCohortsOptions({ path: { project_id } }), enabled: project_id !== '' });
export const useBoards = (project_id: string) => useQuery({ ...listBoardsOptions({ path: { project_id } }), enabled: project_id !== '' });
export const refreshSaved = () => queryClient.invalidateQueries({ queryKey: [{ tags: ['Saved'] }] });

/** The ways to log in to this server. */
export const useAuthMethods = () => useQuery({ queryKey: ['auth methods'], queryFn: session.methods, staleTime: Infinity });

/** The names of events, the most frequent of the last 90 days first. */
export function useEventNames() {
  const project_id = useProjectId();
  const q = useQuery({
    ...queryMetricsOptions({ query: { project_id, bucket: '1d', limit: 90, breakdown: 'name', top: 100 } }),
    enabled: project_id !== '',
    staleTime: 60_000,
  });
  return (q.data?.groups ?? []).filter((g) => !g.other && g.value !== null && (g.total ?? 0) > 0).map((g) => g.value as string);
}

/** A name as questions take it: a dot, an opening bracket or a backslash in it is no step of a path. */
export const propPath = (name: string) => name.replace(/[.[\\]/g, '\\$&');

/** The properties that the latest events have, as paths: their names, and of which of them the values are numbers. */
export function usePropNames(): { names: string[]; all: string[]; numeric: string[] } {
  const project_id = useProjectId();
  const q = useQuery({ ...listEventsOptions({ query: { project_id, limit: 200 } }), enabled: project_id !== '', staleTime: 60_000 });
  const seen = new Map<string, boolean>();
  for (const event of q.data?.items ?? []) for (const [name, value] of Object.entries(event.props)) seen.set(name, (seen.get(name) ?? false) || typeof value === 'number');
  const names = [...seen.keys()].sort();
  return { names, all: names.map(propPath), numeric: names.filter((name) => seen.get(name)).map(propPath) };
}

/**
 * Sets the title of the page, with the name of the project, so that tabs of several projects can be told apart. It only
 * reads the cache: subscribing on the login page and unmounting would cancel the first load of the projects.
 */
export function useTitle(title: string) {
  const id = useProjectId();
  useEffect(() => {
    document.title = [title, knownProject(id)?.name, m.app].filter(Boolean).join(' · ');
  }, [title, id]);
}
