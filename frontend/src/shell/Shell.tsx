import { getProjectOptions } from '@nimbus-analytics/sdk/react-query';
import { useQuery } from '@tanstack/react-query';
import { Link, Outlet, useRouter, useRouterState } from '@tanstack/react-router';
import { IconBook2, IconHourglass, IconLinkOff, IconMenu2, IconPlus, IconSearch, IconSelector, IconUser, IconWifiOff, IconX } from '@tabler/icons-react';
import { useEffect, useState, type KeyboardEvent } from 'react';
import { connection, readiness, session, useAccount, useAway, useWaitUntil } from '../api';
import { basePath } from '../base';
import { useCan, useProject, useProjectId, useProjects } from '../hooks';
import { opened } from '../lib/misread';
import { m } from '../messages';
import { nav } from '../nav';
import { applyTheme, lastProject, projectZone, themePref } from '../prefs';
import { Failure, IconButton, Notice, Segments, Skeleton, toast, Toasts, useSecondsUntil } from '../ui';
import { commandKey, themes } from './appearance';
import { Brand } from './Brand';
import { NotFound } from './pages';
import { Keyboard, type Open } from './Palette';

/** Around every page, also those before the login and those that could not be loaded. */
export function Frame() {
  return (
    <>
      <Away />
      <Wait />
      <Outlet />
      <Toasts />
    </>
  );
}

export function Shell() {
  const router = useRouter();
  const projectId = useProjectId();
  const project = useProject();
  const account = useAccount();
  const can = useCan();
  const [palette, setPalette] = useState<Open>();
  const [openAt, setOpenAt] = useState<string>(); // the path on which the narrow navigation is open: another path closes it
  const path = useRouterState({ select: (s) => s.location.pathname });
  const href = basePath + useRouterState({ select: (s) => s.location.searchStr ? `${s.location.pathname}${s.location.searchStr}` : s.location.pathname }).slice(1);
  useSessionEnd();
  const open = openAt === path;
  const closeOnEscape = (e: KeyboardEvent) => e.key === 'Escape' && setOpenAt(undefined);
  useEffect(() => {
    if (!project) return;
    lastProject.set(project.id);
    if (projectZone.get() === project.time_zone) return;
    projectZone.set(project.time_zone);
    void router.invalidate(); // the address was read with another zone
  }, [project, router]);

  return (
    <>
      {/* Below a path, #main alone would lead to the base and not to this page. */}
      <a className="button skip" href={`${href}#main`}>{m.skip}</a>
      <div className="shell">
        <div className="topbar">
          <IconButton label={open ? m.nav.closeNav : m.nav.open} icon={open ? IconX : IconMenu2} aria-expanded={open} onKeyDown={closeOnEscape} onClick={() => setOpenAt(open ? undefined : path)} />
          <Brand />
          <IconButton className="end" label={m.nav.search} icon={IconSearch} onClick={() => setPalette('commands')} />
        </div>
        <nav className="sidebar" aria-label={m.nav.main} data-open={open || undefined} onKeyDown={closeOnEscape}>
          <div className="hide-narrow"><Brand /></div>
          <ProjectSwitcher name={project?.name} open={() => setPalette('projects')} />
          {project &&
            nav.map((group) => (
              <div key={group.label} className="nav-group">
                <h2>{group.label}</h2>
                {group.items.filter((item) => can(item.role ?? 'viewer')).map((item) => (
                  <Link key={item.to} to={item.to} params={{ projectId }} className="nav-link" activeProps={{ className: 'active' }} activeOptions={{ exact: item.to === '/projects/$projectId', includeSearch: false }}>
                    <item.icon size={18} stroke={1.8} aria-hidden />
                    {item.label}
                  </Link>
                ))}
              </div>
            ))}
          <div className="foot">
            <button type="button" className="nav-link" onClick={() => setPalette('commands')}>
              <IconSearch size={18} stroke={1.8} aria-hidden />
              {m.nav.search}
              <kbd className="hide-narrow">{commandKey}</kbd>
            </button>
            <a className="nav-link" href={`${basePath}docs`}>
              <IconBook2 size={18} stroke={1.8} aria-hidden />
              {m.nav.docs}
            </a>
            <Link to="/account" className="nav-link" activeProps={{ className: 'active' }}>
              <IconUser size={18} stroke={1.8} aria-hidden />
              <span className="truncate">{account?.email}</span>
            </Link>
            <div style={{ padding: '8px 8px 0' }}>
              <Segments label={m.nav.theme.label} value={themePref.use()} options={themes} onChange={applyTheme} />
            </div>
          </div>
        </nav>
        <main className="main" id="main" tabIndex={-1}>
          <Misread />
          {projectId && !project ? <Missing id={projectId} /> : <Outlet />}
        </main>
      </div>
      <Keyboard open={palette} setOpen={setPalette} />
    </>
  );
}

/** Says that the link with which the dashboard was opened meant something else than the page shows. */
function Misread() {
  const path = useRouterState({ select: (s) => s.location.pathname });
  const [closed, setClosed] = useState(false);
  if (closed || path !== opened.path || opened.parts.length === 0) return null;
  return (
    <div className="misread">
      <Notice kind="warn" icon={IconLinkOff} role="status">
        <div className="row">
          <strong className="grow">{m.misread.title} {opened.parts.join(', ')}</strong>
          <IconButton className="tiny" label={m.close} icon={IconX} onClick={() => setClosed(true)} />
        </div>
        <p>{m.misread.text}</p>
      </Notice>
    </div>
  );
}

/** A project that is not in the list: it does not exist, or is still being asked for. */
function Missing({ id }: { id: string }) {
  const { error, refetch } = useQuery(getProjectOptions({ path: { project_id: id } }));
  if (!error) return <Skeleton height={320} />;
  return [404, 422].includes(error.status) ? <NotFound /> : <Failure error={error} retry={() => void refetch()} />;
}

function ProjectSwitcher({ name, open }: { name: string | undefined; open: () => void }) {
  if (useProjects().length === 0) return null;
  return (
    <div className="row" style={{ gap: 4 }}>
      <button type="button" className="button switcher grow" aria-haspopup="dialog" onClick={open}>
        <span className="sr">{m.nav.project}:</span>
        <span className="truncate grow">{name ?? m.palette.chooseProject}</span>
        <IconSelector size={16} aria-hidden />
      </button>
      <Link to="/projects/new" className="button quiet icon" aria-label={m.nav.newProject} title={m.nav.newProject}>
        <IconPlus size={18} aria-hidden />
      </Link>
    </div>
  );
}

/** When the session ends, the login page opens and leads back here afterwards; not after logging out on purpose. */
function useSessionEnd() {
  const account = useAccount();
  const router = useRouter();
  useEffect(() => {
    if (account) return;
    void router.navigate({ to: '/login', search: session.ended() ? { next: router.state.location.href } : {}, replace: true });
  }, [account, router]);
}

function Away() {
  const away = useAway();
  useEffect(() => {
    if (!away) return;
    const timer = setInterval(() => {
      readiness().then(
        ({ checks }) => {
          if (checks.database.status !== 'ok') return;
          connection.set(false);
          toast(m.error.back);
        },
        () => {}, // still away: asked again in two seconds
      );
    }, 2000);
    return () => clearInterval(timer);
  }, [away]);
  if (!away) return null;
  return (
    <div className="banner" role="alert">
      <IconWifiOff size={17} aria-hidden />
      <span>{navigator.onLine ? <><strong>{m.error.away}</strong> {m.error.awayHelp}</> : <><strong>{m.error.offline}</strong> {m.error.offlineHelp}</>}</span>
    </div>
  );
}

/** Counts down to the automatic retry after a rate limit (429). */
function Wait() {
  const left = useSecondsUntil(useWaitUntil());
  if (left === 0) return null;
  return (
    <div className="banner" role="status">
      <IconHourglass size={17} aria-hidden />
      <span><strong>{m.error.wait}</strong> <span aria-hidden>{m.error.waitHelp(left)}</span></span>
    </div>
  );
}
