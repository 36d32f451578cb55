/** Asks the server who somebody is: the people that fit, page by page, and how many there are. */
import { askCohort, queryPeople, type CohortAnswer, type CohortClause, type NimbusError, type PeoplePage, type PersonRow } from '@nimbus-analytics/sdk';
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useSettled } from '../hooks';
import { complete, type Draft } from './clause';

export interface Sought {
  search?: string;
  where?: CohortClause;
  /** The properties of the answer; all when absent. */
  columns?: string[];
}

const page = async (project_id: string, { search, where, columns }: Sought, limit: number, cursor: string | undefined, signal?: AbortSignal): Promise<PeoplePage> =>
  (await queryPeople({ body: { project_id, limit, ...(search && { search }), ...(where && { where }), ...(columns && { columns }), ...(cursor && { cursor }) }, ...(signal && { signal }), throwOnError: true })).data;

export function usePeople(projectId: string, sought: Sought) {
  return useInfiniteQuery<PeoplePage, NimbusError, { pages: PeoplePage[] }, unknown[], string | undefined>({
    queryKey: ['people', projectId, sought],
    queryFn: ({ pageParam, signal }) => page(projectId, sought, 50, pageParam, signal),
    initialPageParam: undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
  });
}

/** All of them, up to so many. */
export async function everyone(projectId: string, sought: Sought, most: number): Promise<PersonRow[]> {
  const all: PersonRow[] = [];
  let cursor: string | undefined;
  do {
    const { items, next_cursor } = await page(projectId, sought, 1000, cursor);
    all.push(...items);
    cursor = next_cursor ?? undefined;
  } while (cursor && all.length < most);
  return all.slice(0, most);
}

/**
 * How many people fit, while the conditions are being made: asked for when they stand still. The number before stays until
 * the next one is there, and while a condition is incomplete.
 */
export function useSize(project_id: string, where: Draft | undefined) {
  const settled = complete(useSettled(where));
  const [asked, setAsked] = useState(settled);
  if (settled && settled !== asked) setAsked(settled);
  return useQuery<CohortAnswer, NimbusError>({
    queryKey: ['cohort size', project_id, asked],
    queryFn: async ({ signal }) => (await askCohort({ body: { project_id, where: asked!, limit: 0 }, signal, throwOnError: true })).data,
    placeholderData: keepPreviousData,
    enabled: asked !== undefined,
  });
}
