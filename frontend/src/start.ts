/** What the first page needs is asked for at once: its file, the session and its numbers load side by side. */
import { runMetricsQueryOptions } from '@nimbus-analytics/sdk/react-query';
import { queryClient, session } from './api';
import { misread, opened } from './lib/misread';
import { zonePref } from './prefs';
import { measured } from './query/question';
import type { Range } from './query/range';
import { router } from './router';

interface Match {
  routeId: keyof typeof router.routesById;
  params: Record<string, string>;
  search: Record<string, unknown>;
}

export async function start() {
  const { pathname, search } = router.latestLocation;
  const matches: Match[] = router.matchRoutes(router.latestLocation);
  // An address of before leads on to the page that took its place, and what it said wrong is told there.
  Object.assign(opened, { path: pathname.replace(/\/explore$/, '/insights'), parts: misread(search, matches.at(-1)?.search ?? {}) });
  for (const { routeId } of matches) void router.loadRouteChunk(router.routesById[routeId]);
  void ask(matches.at(-1)).catch(() => {}); // the page asks itself, and says what is wrong
  await router.load();
}

async function ask(page: Match | undefined) {
  if (!page?.params['projectId'] || !(await session.resume())) return;
  const { projectId } = page.params;
  if (page.routeId === '/app/projects/$projectId/insights') return (await import('./insights/ahead')).ask(projectId, page.search);
  if (page.routeId !== '/app/projects/$projectId/') return;
  for (const measure of ['count', 'users'] as const) void queryClient.prefetchQuery(runMetricsQueryOptions({ body: measured(projectId, measure, page.search as Range, zonePref.get()) }));
}
