import { getHealth } from '@nimbus-analytics/sdk';
import { Link, Outlet, useNavigate, useRouter, useRouterState } from '@tanstack/react-router';
import { IconBook2, IconDeviceDesktop, IconMenu2, IconMoon, IconPlus, IconSearch, IconSun, IconUser, IconWifiOff, IconX } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { connection, useAccount, useAway } from '../api';
import { useProject, useProjectId, useProjects } from '../hooks';
import { m } from '../messages';
import { nav } from '../nav';
import { applyTheme, lastProject, themePref, type Theme } from '../prefs';
import { IconButton, Segments, toast, Toasts } from '../ui';
import { NotFound } from './pages';
import { Keyboard } from './Palette';

export const themes: { value: Theme; label: React.ReactNode; title: string }[] = [
  { value: 'system', label: <IconDeviceDesktop size={16} aria-hidden />, title: m.nav.theme.system },
  { value: 'light', label: <IconSun size={16} aria-hidden />, title: m.nav.theme.light },
  { value: 'dark', label: <IconMoon size={16} aria-hidden />, title: m.nav.theme.dark },
];

export function Brand() {
  return (
    <Link to="/" className="brand">
      <img src="/favicon.svg" alt="" />
      {m.app}
    </Link>
  );
}

export function Shell() {
  const projectId = useProjectId();
  const project = useProject();
  const account = useAccount();
  const [palette, setPalette] = useState<'commands' | 'keys'>();
  const [openAt, setOpenAt] = useState<string>(); // going somewhere closes the navigation of a narrow page
  const path = useRouterState({ select: (s) => s.location.pathname });
  useSessionEnd();
  const open = openAt === path;
  useEffect(() => {
    if (project) lastProject.set(project.id);
  }, [project]);

  return (
    <>
      <a className="button skip" href="#main">{m.skip}</a>
      <Away />
      <div className="shell">
        <div className="topbar">
          <IconButton label={open ? m.nav.closeNav : m.nav.open} icon={open ? IconX : IconMenu2} aria-expanded={open} onClick={() => setOpenAt(open ? undefined : path)} />
          <Brand />
          <IconButton className="end" label={m.nav.search} icon={IconSearch} onClick={() => setPalette('commands')} />
        </div>
        <nav className="sidebar" aria-label={m.nav.main} data-open={open || undefined}>
          <div className="hide-narrow"><Brand /></div>
          <ProjectSwitcher />
          {project &&
            nav.map((group) => (
              <div key={group.label} className="nav-group">
                <h2>{group.label}</h2>
                {group.items.map((item) => (
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
              <kbd>{isMac ? '⌘ K' : 'Ctrl K'}</kbd>
            </button>
            <a className="nav-link" href="/docs">
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
          {projectId && !project ? <NotFound /> : <Outlet />}
        </main>
      </div>
      <Keyboard open={palette} setOpen={setPalette} />
      <Toasts />
    </>
  );
}

export const isMac = /Mac|iPhone|iPad/.test(navigator.userAgent);

function ProjectSwitcher() {
  const projects = useProjects();
  const projectId = useProjectId();
  const navigate = useNavigate();
  if (projects.length === 0) return null;
  return (
    <div className="row" style={{ gap: 4 }}>
      <select
        className="input"
        aria-label={m.nav.project}
        value={projectId}
        onChange={(e) => void navigate(e.target.value ? { to: '/projects/$projectId', params: { projectId: e.target.value } } : { to: '/projects' })}
      >
        <option value="">{m.projects.title}</option>
        {projects.map((p) => (
          <option key={p.id} value={p.id}>{p.name}</option>
        ))}
      </select>
      <Link to="/projects/new" className="button quiet icon" aria-label={m.nav.newProject} title={m.nav.newProject}>
        <IconPlus size={18} aria-hidden />
      </Link>
    </div>
  );
}

/** When the session ends, the page asks to log in and comes back to where it was. */
function useSessionEnd() {
  const account = useAccount();
  const router = useRouter();
  useEffect(() => {
    if (account) return;
    void router.navigate({ to: '/login', search: { next: router.state.location.href }, replace: true });
  }, [account, router]);
}

function Away() {
  const away = useAway();
  useEffect(() => {
    if (!away) return;
    const timer = setInterval(() => {
      getHealth().then(
        () => {
          connection.set(false);
          toast(m.error.back);
        },
        () => {}, // still away: the next turn asks again
      );
    }, 2000);
    return () => clearInterval(timer);
  }, [away]);
  if (!away) return null;
  return (
    <div className="banner" role="alert">
      <IconWifiOff size={17} aria-hidden />
      <span><strong>{m.error.away}</strong> {m.error.awayHelp}</span>
    </div>
  );
}
