/** The command palette, the list of shortcuts, and the shortcuts themselves. */
import { useNavigate } from '@tanstack/react-router';
import { IconActivity, IconBookmark, IconFolder, IconFolders, IconLayoutBoard, IconLogout, IconPalette, IconPlus, IconUser, type Icon } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';
import { session } from '../api';
import { useBoards, useCan, useEventNames, useProjectId, useProjects, useReports } from '../hooks';
import { number } from '../format';
import { m } from '../messages';
import { nav } from '../nav';
import { applyTheme, singleKeysPref, themePref } from '../prefs';
import { Dialog, isEnter, useModal } from '../ui';
import { commandKey } from './appearance';

interface Command {
  label: string;
  kind: string;
  icon: Icon;
  run: () => void;
}
export type Open = 'commands' | 'projects' | 'keys';

const dark = () => getComputedStyle(document.documentElement).colorScheme === 'dark' || (themePref.get() === 'system' && matchMedia('(prefers-color-scheme: dark)').matches);
const items = nav.flatMap((group) => group.items);

export function Keyboard({ open, setOpen }: { open: Open | undefined; setOpen: (open: Open | undefined) => void }) {
  const navigate = useNavigate();
  const projectId = useProjectId();
  const can = useCan();
  const went = useRef(0); // when g was pressed

  useEffect(() => {
    const onKey = (e: KeyboardEvent) => {
      if ((e.metaKey || e.ctrlKey) && e.key.toLowerCase() === 'k') {
        e.preventDefault();
        setOpen('commands');
        return;
      }
      const target = e.target as HTMLElement;
      if (singleKeysPref.get() === 'off' || e.metaKey || e.ctrlKey || e.altKey || target.closest('input, textarea, select, dialog')) return;
      if (e.key === '?') setOpen('keys');
      if (e.key === 't') applyTheme(dark() ? 'light' : 'dark');
      if (e.key === 'g') went.current = e.timeStamp;
      else if (e.timeStamp - went.current < 1500 && projectId) {
        const item = items.find((i) => i.key === e.key);
        if (item && can(item.role ?? 'viewer')) void navigate({ to: item.to, params: { projectId } });
        went.current = 0;
      }
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [can, navigate, projectId, setOpen]);

  if (open === 'keys') return <Shortcuts onClose={() => setOpen(undefined)} />;
  if (open) return <Palette key={open} projectsOnly={open === 'projects'} onClose={() => setOpen(undefined)} />;
  return null;
}

function Palette({ projectsOnly, onClose }: { projectsOnly: boolean; onClose: () => void }) {
  const navigate = useNavigate();
  const projectId = useProjectId();
  const projects = useProjects({ all: true });
  const can = useCan();
  const reports = useReports(projectId).data?.items;
  const boards = useBoards(projectId).data?.items;
  const [text, setText] = useState('');
  const names = useEventNames(text);
  const [at, setAt] = useState(0);
  const ref = useRef<HTMLDialogElement>(null);
  useModal(ref);

  const commands: Command[] = [
    ...(projectId && !projectsOnly ? items.filter((i) => can(i.role ?? 'viewer')).map((i) => ({ label: i.label, kind: m.palette.goTo, icon: i.icon, run: () => void navigate({ to: i.to, params: { projectId } }) })) : []),
    ...(projectsOnly
      ? []
      : [
          { label: m.nav.account, kind: m.palette.goTo, icon: IconUser, run: () => void navigate({ to: '/account' }) },
          ...(['light', 'dark', 'system'] as const).map((t) => ({ label: m.nav.theme[t], kind: m.palette.theme, icon: IconPalette, run: () => applyTheme(t) })),
        ]),
    ...projects.map((p) => ({ label: p.name, kind: projectsOnly ? m.projects.role[p.role] : m.palette.project, icon: IconFolder, run: () => void navigate({ to: '/projects/$projectId', params: { projectId: p.id } }) })),
    { label: m.projects.title, kind: m.palette.goTo, icon: IconFolders, run: () => void navigate({ to: '/projects' }) },
    { label: m.nav.newProject, kind: m.palette.goTo, icon: IconPlus, run: () => void navigate({ to: '/projects/new' }) },
    ...(projectsOnly
      ? []
      : [
          ...(boards ?? []).map((b) => ({ label: b.name, kind: m.palette.board, icon: IconLayoutBoard, run: () => void navigate({ to: '/projects/$projectId/boards/$boardId', params: { projectId, boardId: b.id } }) })),
          ...(reports ?? []).map((r) => ({ label: r.name, kind: m.palette.report, icon: IconBookmark, run: () => void navigate({ to: '/projects/$projectId/reports/$reportId', params: { projectId, reportId: r.id } }) })),
          ...names.map((name) => ({ label: name, kind: m.palette.event, icon: IconActivity, run: () => void navigate({ to: '/projects/$projectId/insights', params: { projectId }, search: { series: [{ event: name }] } }) })),
          { label: m.auth.logout, kind: m.nav.account, icon: IconLogout, run: () => void session.logout() },
        ]),
  ];
  const wanted = text.trim().toLowerCase();
  const matching = commands.filter((c) => `${c.label} ${c.kind}`.toLowerCase().includes(wanted));
  const found = matching.slice(0, 50);
  const chosen = Math.min(at, found.length - 1);
  const run = (c: Command | undefined) => {
    if (!c) return;
    onClose();
    c.run();
  };

  return (
    <dialog ref={ref} className="wide palette" aria-label={projectsOnly ? m.palette.chooseProject : m.palette.title} onCancel={onClose} onPointerDown={(e) => e.target === ref.current && onClose()}>
      <input
        autoFocus
        role="combobox"
        aria-label={m.palette.title}
        aria-expanded="true"
        aria-controls="commands"
        aria-activedescendant={found.length > 0 ? `command-${chosen}` : undefined}
        placeholder={projectsOnly ? m.palette.searchProjects : m.palette.placeholder}
        value={text}
        onChange={(e) => {
          setText(e.target.value);
          setAt(0);
        }}
        onKeyDown={(e) => {
          if (isEnter(e)) run(found[chosen]);
          const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
          if (step === undefined) return;
          e.preventDefault();
          const next = (chosen + step + found.length) % found.length;
          setAt(next);
          document.getElementById(`command-${next}`)?.scrollIntoView({ block: 'nearest' });
        }}
      />
      <ul id="commands" role="listbox" aria-label={m.palette.title}>
        {found.map((c, i) => (
          <li key={`${i} ${c.kind} ${c.label}`} id={`command-${i}`} role="option" aria-selected={i === chosen} onPointerMove={() => setAt(i)} onClick={() => run(c)}>
            <c.icon size={17} aria-hidden />
            <span className="truncate">{c.label}</span>
            <span className="kind">{c.kind}</span>
          </li>
        ))}
      </ul>
      {matching.length > found.length && <p className="muted small" style={{ padding: '0 18px 14px' }}>{m.palette.more(number(matching.length - found.length))}</p>}
      {found.length === 0 && <p className="muted" style={{ padding: '0 18px 18px' }}>{m.palette.none}</p>}
    </dialog>
  );
}

function Shortcuts({ onClose }: { onClose: () => void }) {
  const can = useCan();
  const rows: [string[], string][] = [
    [[commandKey], m.shortcuts.palette],
    [['?'], m.shortcuts.help],
    [['t'], m.shortcuts.theme],
    ...items.filter((i) => can(i.role ?? 'viewer')).map((i): [string[], string] => [['g', i.key], i.label]),
    [['←', '→'], m.shortcuts.chart],
    [['Esc'], m.shortcuts.escape],
  ];
  return (
    <Dialog title={m.shortcuts.title} onClose={onClose}>
      <dl className="keys">
        {rows.map(([keys, label]) => (
          <div key={label} style={{ display: 'contents' }}>
            <dt className="row" style={{ gap: 5 }}>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{label}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
