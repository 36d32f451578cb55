/**
 * Options of TanStack Query for every operation, generated from the contract: `useQuery(listProjectsOptions())`,
 * `useMutation(createProjectMutation())`, `useInfiniteQuery(listEventsInfiniteOptions(…))`.
 *
 * They use the package's `client` unless a call names another.
 *
 * @packageDocumentation
 */
export * from './gen/@tanstack/react-query.gen.js';
