/** What several pages ask: the current project, the role in it, the names of its events and properties, and the ways to log in. */
import type { CatalogueValue, PersonRow, Project, Role, SavedInsightList } from '@nimbus-analytics/sdk';
import { getProjectOptions, listBoardsOptions, listCatalogueEventsOptions, listCataloguePropsOptions, listCatalogueValuesOptions, listCohortsOptions, listProjectsInfiniteOptions, getInsightOptions, listInsightsOptions, queryPeopleOptions } from '@nimbus-analytics/sdk/react-query';
import { infiniteQueryOptions, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from 'react';
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
export const refreshCohorts = () => queryClient.invalidateQueries({ queryKey: [{ tags: ['Cohorts'] }] });
export const refreshSaved = () => queryClient.invalidateQueries({ queryKey: [{ tags: ['Saved'] }] });

/** The ways to log in to this server. */
export const useAuthMethods = () => useQuery({ queryKey: ['auth methods'], queryFn: session.methods, staleTime: Infinity });

/** What is known is asked for again after a minute. A text that is typed narrows it, when not all of it is known. */
const known = { staleTime: 60_000 };

/** The events by their names, the most frequent first: 1,000, and of more those that contain a text. */
export function useEventsByName(typed = '') {
  const project_id = useProjectId();
  const all = useQuery({ ...listCatalogueEventsOptions({ query: { project_id, days: 1, limit: 1000 } }), ...known, enabled: project_id !== '' });
  const q = useDeferredValue(typed.trim());
  const found = useQuery({ ...listCatalogueEventsOptions({ query: { project_id, days: 1, q } }), ...known, enabled: q !== '' && all.data?.more === true });
  return [...new Map([...(found.data?.items ?? []), ...(all.data?.items ?? [])].map((e) => [e.name, e])).values()];
}
export const useEventNames = (typed?: string) => useEventsByName(typed).map((e) => e.name);

/** A name as questions take it: a dot, an opening bracket or a backslash in it is no step of a path. */
export const propPath = (name: string) => name.replace(/[.[\\]/g, '\\$&');

/** The properties that events of a name have, or of any, as paths: their names, and of which of them there are numbers. */
export function usePropNames(event?: string, enabled = true): { names: string[]; all: string[]; numeric: string[] } {
  const project_id = useProjectId();
  const q = useQuery({ ...listCataloguePropsOptions({ query: { project_id, limit: 1000, ...(event && { event }) } }), ...known, enabled: enabled && project_id !== '' });
  const props = [...(q.data?.items ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { names: props.map((p) => p.name), all: props.map((p) => p.prop), numeric: props.filter((p) => p.range !== null).map((p) => p.prop) };
}

/** The properties of an event that are numbers, for who is about to choose one. */
export async function numericProps(project_id: string, event: string | undefined): Promise<string[]> {
  const { items } = await queryClient.ensureQueryData(listCataloguePropsOptions({ query: { project_id, limit: 1000, ...(event && { event }) } }));
  return items.filter((p) => p.range !== null).map((p) => p.prop);
}

/** The most frequent values of a property that is known, those that contain a text when there are many. */
export function usePropValues(prop: string, typed = '', enabled = true): CatalogueValue['value'][] {
  const project_id = useProjectId();
  const isKnown = usePropNames(undefined, enabled).all.includes(prop);
  const q = useDeferredValue(typed.trim().slice(0, 200));
  const all = useQuery({ ...listCatalogueValuesOptions({ query: { project_id, prop } }), ...known, enabled: isKnown });
  const found = useQuery({ ...listCatalogueValuesOptions({ query: { project_id, prop, q } }), ...known, enabled: isKnown && q !== '' && all.data?.more === true });
  return [...new Set([...(found.data?.items ?? []), ...(all.data?.items ?? [])].map((v) => v.value))];
}

export interface KnownProp {
  name: string;
  /** Of those that were looked at, how many have it. */
  filled: number;
  values: (string | number | boolean)[];
}

/** The properties of profiles, those that most have first: of the first 200 people, as the server has no list of them. */
export function useProfileProps(enabled = true): KnownProp[] {
  const project_id = useProjectId();
  const { data } = useQuery({ ...queryPeopleOptions({ body: { project_id, limit: 200 } }), ...known, enabled: enabled && project_id !== '' });
  return useMemo(() => propsOf(data?.items ?? []), [data]);
}

function propsOf(people: readonly PersonRow[]): KnownProp[] {
  const found = new Map<string, { filled: number; values: Set<string | number | boolean> }>();
  for (const [name, value] of people.flatMap((p) => Object.entries(p.props))) {
    if (value === null) continue;
    const prop = found.get(name) ?? { filled: 0, values: new Set() };
    prop.filled++;
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') prop.values.add(value);
    found.set(name, prop);
  }
  return [...found].map(([name, { filled, values }]) => ({ name, filled, values: [...values].slice(0, 100) })).sort((a, b) => b.filled - a.filled || (a.name < b.name ? -1 : 1));
}

/** How long a value must stay, in milliseconds, before it is asked about. */
const settling = 300;

/** A value that stands still for a moment: what is asked while somebody types is asked once. */
export function useSettled<T>(value: T, ms = settling): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}

/** Says of each change of the address whether it replaces the one before: those that follow each other before a number does are one step back. */
export function useSteps(): () => boolean {
  const last = useRef(0);
  return () => {
    const before = last.current;
    last.current = Date.now();
    return last.current - before < settling;
  };
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
