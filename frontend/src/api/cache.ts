/** The query cache: every answer of the server, and what happens to all of them at once. */
import { NimbusError } from '@nimbus-analytics/sdk';
import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query';
import { connection, isUnreachable } from './connection';
import { retryChange, retryDelay, retryQuery } from './retries';

/** Asks for the projects again, with the roles in them. */
export const reloadProjects = () => queryClient.invalidateQueries({ predicate: ({ queryKey: [key] }) => ['listProjects', 'getProject'].includes((key as { _id?: string })._id ?? '') });

/** A role that has changed since the page was drawn: the page follows it. */
function followRole(error: unknown) {
  if (error instanceof NimbusError && error.code === 'insufficient_role') void reloadProjects();
}

export const queryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error) => {
      if (isUnreachable(error)) connection.set(true);
      followRole(error);
    },
  }),
  mutationCache: new MutationCache({ onError: followRole }),
  defaultOptions: {
    queries: { staleTime: 30_000, networkMode: 'always', retry: retryQuery, retryDelay },
    mutations: { networkMode: 'always', retry: retryChange, retryDelay },
  },
});

let wasAway = connection.isAway();
connection.watch(() => {
  const isAway = connection.isAway();
  if (wasAway && !isAway) void queryClient.invalidateQueries(); // what is shown may be out of date
  wasAway = isAway;
});
