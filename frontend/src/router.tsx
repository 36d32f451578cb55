/** The routes. Each page is loaded when it is opened; its state is in the address and parsed here. */
import { NimbusError, type Project } from '@nimbus-analytics/sdk';
import { CancelledError } from '@tanstack/react-query';
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet, redirect, type SearchSchemaInput } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { getProjectOptions } from '@nimbus-analytics/sdk/react-query';
import { queryClient, session } from './api';
import { projectsOptions } from './hooks';
import { lastProject } from './prefs';
import { parseAudit } from './routes/audit/search';
import { parseBoard } from './routes/boards/search';
import { parseEvents } from './routes/events/search';
import { stateOfAddress } from './insights/saved';
import type { InsightState } from './insights/state';
import { parseCohort, parsePeople, parsePerson } from './people/search';
import { parseLive } from './routes/live/search';
import { basePath } from './base';
import { AppFailure, NotFound, PageFailure, PageNotLoaded } from './shell/pages';
import { Frame, Shell } from './shell/Shell';
import { parsePreset } from './query/range';

const root = createRootRoute({ component: Frame, notFoundComponent: () => <main className="main"><NotFound /></main> });

/** Removes what a parser left out: without this, the router merges the raw address back into the parsed search. */
const only = <T extends object>(parse: (s: Record<string, unknown>) => T) => (s: Record<string, unknown>): T => ({ ...Object.fromEntries(Object.keys(s).map((key) => [key, undefined])), ...parse(s) });

/** A page, loaded when it is opened. The router must not take a page that did not load for one of an older build: that would reload in an outage. */
const page = <M extends Record<K, () => ReactNode>, K extends keyof M & string>(load: () => Promise<M>, name: K) =>
  lazyRouteComponent(
    () =>
      load().catch((error: unknown) => {
        throw new PageNotLoaded(error);
      }),
    name,
  );

/** Where to go after logging in (a path of this site, never another site), and why single sign-on failed. */
const parseNext = (s: Record<string, unknown>): { next?: string; error?: string } => ({
  ...(typeof s['next'] === 'string' && /^\/(?![/\\])/.test(s['next']) && { next: s['next'] }),
  ...(typeof s['error'] === 'string' && /^[a-z_]{1,40}$/.test(s['error']) && { error: s['error'] }),
});

/** Which tab of the install page is open. */
const parseSdk = (s: Record<string, unknown>): { sdk?: string } => (typeof s['sdk'] === 'string' ? { sdk: s['sdk'] } : {});

const login = createRoute({ getParentRoute: () => root, path: '/login', validateSearch: only(parseNext), component: page(() => import('./routes/auth/AuthPage'), 'LoginPage') });
const register = createRoute({ getParentRoute: () => root, path: '/register', validateSearch: only(parseNext), component: page(() => import('./routes/auth/AuthPage'), 'RegisterPage') });

const invitation = createRoute({ getParentRoute: () => root, path: '/invitation', component: page(() => import('./routes/invitation/InvitationPage'), 'InvitationPage') });
const reset = createRoute({ getParentRoute: () => root, path: '/reset', component: page(() => import('./routes/reset/ResetPage'), 'ResetPage') });

/** Asks again when the request was cancelled: a page that unmounts cancels its queries, even those a loader waits for. */
async function lasting<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof CancelledError)) throw error;
    }
  }
}
const loadedProjects = () => lasting(() => queryClient.ensureInfiniteQueryData(projectsOptions));

/** A project that is on no loaded page of the list is asked for alone; undefined when it does not exist. */
async function projectOf(id: string): Promise<Project | undefined> {
  const { pages } = await loadedProjects();
  const listed = pages.flatMap((page) => page.items).find((p) => p.id === id);
  if (listed || id === '') return listed;
  return lasting(() => queryClient.ensureQueryData(getProjectOptions({ path: { project_id: id } }))).catch((error: unknown) => {
    if (error instanceof NimbusError && (error.status === 404 || error.status === 422)) return undefined;
    throw error;
  });
}

const app = createRoute({
  getParentRoute: () => root,
  id: 'app',
  component: Shell,
  errorComponent: AppFailure,
  beforeLoad: async ({ location }) => {
    if (!(await session.resume())) throw redirect({ to: '/login', search: location.href === '/' ? {} : { next: location.href } });
  },
  loader: loadedProjects,
});
const home = createRoute({
  getParentRoute: () => app,
  path: '/',
  loader: async () => {
    const items = (await loadedProjects()).pages.flatMap((page) => page.items);
    const last = (await projectOf(lastProject.get())) ?? items[0];
    if (!last) throw redirect({ to: '/projects/new', replace: true });
    throw redirect({ to: '/projects/$projectId', params: { projectId: last.id }, replace: true });
  },
});
const projects = createRoute({ getParentRoute: () => app, path: '/projects', component: page(() => import('./routes/projects/ProjectsPage'), 'ProjectsPage') });
const newProject = createRoute({ getParentRoute: () => app, path: '/projects/new', component: page(() => import('./routes/projects/ProjectsPage'), 'NewProjectPage') });
const account = createRoute({ getParentRoute: () => app, path: '/account', component: page(() => import('./routes/account/AccountPage'), 'AccountPage') });

const instance = createRoute({ getParentRoute: () => app, path: '/instance', component: page(() => import('./routes/instance/InstancePage'), 'InstancePage') });

const project = createRoute({ getParentRoute: () => app, path: '/projects/$projectId', component: Outlet, remountDeps: ({ params }) => params.projectId, loader: ({ params }) => projectOf(params.projectId) });
const overview = createRoute({ getParentRoute: () => project, path: '/', validateSearch: only(parsePreset), component: page(() => import('./routes/overview/OverviewPage'), 'OverviewPage') });
/** A link names what it asks for; the parser adds the rest. */
type Linked = Partial<Extract<InsightState, { kind?: undefined }>> | InsightState;
const asked = (s: Linked & SearchSchemaInput): InsightState => only(stateOfAddress)(s as Record<string, unknown>);
const insights = createRoute({ getParentRoute: () => project, path: '/insights', validateSearch: asked, component: page(() => import('./routes/insights/InsightsPage'), 'InsightsPage') });
/** The address that the page had when trends were all it knew: links to it go on working. */
const explore = createRoute({
  getParentRoute: () => project,
  path: '/explore',
  validateSearch: asked,
  beforeLoad: ({ params, search }) => {
    throw redirect({ to: '/projects/$projectId/insights', params, search, replace: true });
  },
});
const reports = createRoute({ getParentRoute: () => project, path: '/reports', component: page(() => import('./routes/reports/ReportsPage'), 'ReportsPage') });
const report = createRoute({ getParentRoute: () => project, path: '/reports/$reportId', component: page(() => import('./routes/reports/ReportsPage'), 'OpenReport') });
const boards = createRoute({ getParentRoute: () => project, path: '/boards', component: page(() => import('./routes/boards/BoardsPage'), 'BoardsPage') });
const board = createRoute({ getParentRoute: () => project, path: '/boards/$boardId', validateSearch: only(parseBoard), component: page(() => import('./routes/boards/BoardPage'), 'BoardPage') });
const live = createRoute({ getParentRoute: () => project, path: '/live', validateSearch: only(parseLive), component: page(() => import('./routes/live/LivePage'), 'LivePage') });
const events = createRoute({ getParentRoute: () => project, path: '/events', validateSearch: only(parseEvents), component: page(() => import('./routes/events/EventsPage'), 'EventsPage') });
const people = createRoute({ getParentRoute: () => project, path: '/people', validateSearch: only(parsePeople), component: page(() => import('./routes/people/PeoplePage'), 'PeoplePage') });
const person = createRoute({ getParentRoute: () => project, path: '/people/$person', validateSearch: only(parsePerson), component: page(() => import('./routes/people/PersonPage'), 'PersonPage') });
const cohorts = createRoute({ getParentRoute: () => project, path: '/cohorts', component: page(() => import('./routes/cohorts/CohortsPage'), 'CohortsPage') });
const newCohort = createRoute({ getParentRoute: () => project, path: '/cohorts/new', validateSearch: only(parseCohort), component: page(() => import('./routes/cohorts/CohortPage'), 'NewCohortPage') });
const cohort = createRoute({ getParentRoute: () => project, path: '/cohorts/$cohortId', validateSearch: only(parseCohort), component: page(() => import('./routes/cohorts/CohortPage'), 'CohortPage') });
const install = createRoute({ getParentRoute: () => project, path: '/install', validateSearch: only(parseSdk), component: page(() => import('./routes/install/InstallPage'), 'InstallPage') });
const members = createRoute({ getParentRoute: () => project, path: '/members', component: page(() => import('./routes/members/MembersPage'), 'MembersPage') });
const keys = createRoute({ getParentRoute: () => project, path: '/keys', component: page(() => import('./routes/keys/KeysPage'), 'KeysPage') });
const audit = createRoute({ getParentRoute: () => project, path: '/audit', validateSearch: only(parseAudit), component: page(() => import('./routes/audit/AuditPage'), 'AuditPage') });
const settings = createRoute({ getParentRoute: () => project, path: '/settings', component: page(() => import('./routes/settings/SettingsPage'), 'SettingsPage') });

export const router = createRouter({
  routeTree: root.addChildren([
    login,
    register,
    invitation,
    reset,
    app.addChildren([home, projects, newProject, account, instance, project.addChildren([overview, insights, explore, reports, report, boards, board, live, events, people, person, cohorts, newCohort, cohort, install, members, keys, audit, settings])]),
  ]),
  basepath: basePath,
  defaultPreload: 'intent',
  notFoundMode: 'root',
  defaultErrorComponent: PageFailure,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
