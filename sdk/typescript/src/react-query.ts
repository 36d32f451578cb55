/**
 * Options of TanStack Query for every operation, generated from the contract: `useQuery(listProjectsOptions())`,
 * `useMutation(createProjectMutation())`. A list of pages needs to be told which is first and which is next:
 *
 * ```ts
 * useInfiniteQuery({
 *   ...listEventsInfiniteOptions({ query }),
 *   initialPageParam: { query },
 *   getNextPageParam: (page) => page.next_cursor ?? undefined,
 * });
 * ```
 *
 * They use the package's `client` unless a call names another.
 *
 * @packageDocumentation
 */
export * from './gen/@tanstack/react-query.gen.js';
