/** Everybody: searched, narrowed down by conditions, with the columns that one wants to see. */
import type { PersonRow } from '@nimbus-analytics/sdk';
import { useMutation } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { IconDownload, IconSearch, IconUserOff, IconUsers, IconUsersPlus } from '@tabler/icons-react';
import { useEffect, useEffectEvent, useState } from 'react';
import { ago, date, dateTime, number } from '../../format';
import { useCan, useProfileProps, useProject, useSettled, useSteps, useTitle, type KnownProp } from '../../hooks';
import { cellOf, downloadCsv } from '../../lib/download';
import { m } from '../../messages';
import { everyone, usePeople, type Sought } from '../../people/ask';
import { complete } from '../../people/clause';
import { ClauseEditor } from '../../people/ClauseEditor';
import { p } from '../../people/messages';
import type { PeopleState } from '../../people/search';
import { anonymousOf, idOf, isVisitor } from '../../people/id';
import { emailOf, nameOf, nameProps, titleOf, valueOf } from '../../people/who';
import { zonePref } from '../../prefs';
import { Button, Empty, Failure, Skeleton, toast } from '../../ui';
import { Columns } from './Columns';
import { SaveCohort } from './SaveCohort';
import './people.css';

const mostInFile = 20_000;

/** The columns of an address without any: what most profiles have, names aside. */
const usualColumns = (known: readonly KnownProp[]) => known.filter(({ name }) => !nameProps.has(name)).slice(0, 4).map(({ name }) => name);

export function PeoplePage() {
  useTitle(p.list.title);
  const project = useProject()!;
  const state = useSearch({ from: '/app/projects/$projectId/people' });
  const set = useChange();
  const canSave = useCan()('admin');
  const zone = zonePref.use();
  const known = useProfileProps();
  const columns = state.columns ?? usualColumns(known);
  const settled = useSettled(state.where);
  const where = complete(settled);
  const sought: Sought = { ...(state.q && { search: state.q.trim() }), ...(where && { where }) };
  const list = usePeople(project.id, sought);
  const people = list.data?.pages.flatMap((page) => page.items) ?? [];
  const total = list.data?.pages[0]?.total;
  const [saving, setSaving] = useState(false);
  const csv = useMutation({
    mutationFn: () => everyone(project.id, sought, mostInFile),
    onSuccess: (all) => {
      downloadCsv('nimbus-people.csv', rowsOf(all, columns));
      if (total !== undefined && all.length < total) toast(p.list.csvSome(number(all.length)));
    },
  });
  const narrowed = state.q !== undefined || state.where !== undefined;
  return (
    <>
      <header className="page-head">
        <h1>{p.list.title}</h1>
        {total !== undefined && <span className="badge num" role="status">{p.people(total, number(total))}</span>}
        <div className="row wrap end">
          <Columns known={known} columns={columns} usual={state.columns === undefined} onChange={(next) => set({ columns: next })} />
          <Button busy={csv.isPending} disabled={people.length === 0} onClick={() => csv.mutate()}><IconDownload size={16} aria-hidden />{p.list.csv}</Button>
          {canSave && <Button kind="primary" disabled={!narrowed || people.length === 0} onClick={() => setSaving(true)}><IconUsersPlus size={16} aria-hidden />{p.list.save}</Button>}
        </div>
        <p className="lead">{p.list.lead}</p>
      </header>
      <section className="panel finding" aria-label={p.list.conditions}>
        <Search q={state.q} onChange={(q) => set({ q }, true)} />
        <ClauseEditor where={state.where} onChange={(next) => set({ where: next })} />
        {state.where !== undefined && complete(state.where) === undefined && <p className="muted small" role="status">{p.list.unfinished}</p>}
      </section>
      {csv.error && <Failure error={csv.error} />}
      <section className="panel" aria-label={p.list.title} aria-busy={list.isFetching}>
        {list.error && people.length === 0 ? (
          <div className="body"><Failure error={list.error} retry={() => void list.refetch()} /></div>
        ) : !list.data ? (
          <div className="body stack tight">{Array.from({ length: 8 }, (_, i) => <Skeleton key={i} height={34} />)}</div>
        ) : people.length === 0 ? (
          <Nobody narrowed={narrowed} projectId={project.id} onClear={() => set({ q: undefined, where: undefined })} />
        ) : (
          <div className={list.isPlaceholderData ? 'stale' : ''}>
            <People people={people} columns={columns} projectId={project.id} zone={zone} />
            {list.isFetchNextPageError && <div className="body"><Failure error={list.error} retry={() => void list.fetchNextPage()} /></div>}
            {list.hasNextPage && !list.isFetchNextPageError && <div className="body more"><Button busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>{p.list.more}</Button></div>}
          </div>
        )}
      </section>
      {saving && total !== undefined && <SaveCohort projectId={project.id} sought={sought} total={total} onClose={() => setSaving(false)} />}
    </>
  );
}

/** Changes the address. What is typed letter by letter, or by a number's arrows, is one step back. */
function useChange() {
  const navigate = useNavigate({ from: '/projects/$projectId/people' });
  const replaces = useSteps();
  return (change: { [K in keyof PeopleState]?: PeopleState[K] | undefined }, typed = false) =>
    void navigate({ search: (s) => ({ ...s, ...change }), replace: replaces() || typed, resetScroll: false });
}

function Search({ q, onChange }: { q: string | undefined; onChange: (q: string | undefined) => void }) {
  const [typed, setTyped] = useState(q ?? '');
  const [shown, setShown] = useState(q);
  // The address changed by something else than this field: Back, or a link.
  if (shown !== q) {
    setShown(q);
    if ((q ?? '') !== typed.trim()) setTyped(q ?? '');
  }
  const settled = useSettled(typed);
  const commit = useEffectEvent((text: string) => {
    const next = text.trim() || undefined;
    if (next !== q) onChange(next);
  });
  useEffect(() => commit(settled), [settled]);
  return (
    <form role="search" className="tools" onSubmit={(e) => { e.preventDefault(); onChange(typed.trim() || undefined); }}>
      <div className="search">
        <IconSearch size={16} aria-hidden />
        <input className="input" type="search" aria-label={p.list.search} placeholder={p.list.placeholder} maxLength={200} autoComplete="off" spellCheck={false} value={typed} onChange={(e) => setTyped(e.target.value)} />
      </div>
    </form>
  );
}

function Nobody({ narrowed, projectId, onClear }: { narrowed: boolean; projectId: string; onClear: () => void }) {
  if (narrowed)
    return (
      <Empty icon={IconUserOff} title={p.list.noneTitle}>
        <p>{p.list.noneText}</p>
        <Button onClick={onClear}>{p.list.clear}</Button>
      </Empty>
    );
  return (
    <Empty icon={IconUsers} title={p.list.emptyTitle}>
      <p>{p.list.emptyText}</p>
      <Link className="button primary" to="/projects/$projectId/install" params={{ projectId }}>{m.overview.emptyAction}</Link>
    </Empty>
  );
}

function People({ people, columns, projectId, zone }: { people: readonly PersonRow[]; columns: readonly string[]; projectId: string; zone: string }) {
  return (
    <div className="scroll-x" tabIndex={0} role="group" aria-label={p.list.title}>
      <table className="table cards rows">
        <thead>
          <tr>
            <th>{p.list.person}</th>
            {columns.map((name) => <th key={name}><span className="truncate">{name}</span></th>)}
            <th className="right">{p.list.events}</th>
            <th className="right">{p.list.firstSeen}</th>
            <th className="right">{p.list.lastSeen}</th>
          </tr>
        </thead>
        <tbody>
          {people.map((one) => (
            <tr key={one.person}>
              <td><Name row={one} projectId={projectId} /></td>
              {columns.map((name) => {
                const value = valueOf(one.props[name], zone);
                return <td key={name} className={typeof one.props[name] === 'number' ? 'num' : ''} data-label={name}><span className="value" title={value}>{value}</span></td>;
              })}
              <td className="right" data-label={p.list.events}>{number(one.events)}</td>
              <td className="right muted nowrap" data-label={p.list.firstSeen} {...(one.first_seen && { title: dateTime(one.first_seen, zone) })}>{one.first_seen ? date(one.first_seen, zone) : '–'}</td>
              <td className="right muted nowrap" data-label={p.list.lastSeen} {...(one.last_seen && { title: dateTime(one.last_seen, zone) })}>{one.last_seen ? ago(one.last_seen) : p.list.never}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The name, which opens the profile, and below it what else tells one Ada from another. */
function Name({ row: { person, props }, projectId }: { row: PersonRow; projectId: string }) {
  const title = titleOf(person, props);
  const email = emailOf(props);
  const below = nameOf(props) && email ? email : title === idOf(person) || isVisitor(person) ? undefined : idOf(person);
  return (
    <div className="who">
      <Link className="name truncate" title={isVisitor(person) ? p.visitorHelp : person} to="/projects/$projectId/people/$person" params={{ projectId, person }}>{title}</Link>
      {below !== undefined && <span className="muted small truncate">{below}</span>}
    </div>
  );
}

/** The columns of ids come first, so that a cohort takes the file. */
function rowsOf(people: readonly PersonRow[], columns: readonly string[]): (string | number | null)[][] {
  return [
    ['user_id', 'anonymous_id', 'name', 'email', 'events', 'first_seen', 'last_seen', ...columns.map((name) => `props.${name}`)],
    ...people.map(({ person, props, events, first_seen, last_seen }) => [
      isVisitor(person) ? null : person, isVisitor(person) ? anonymousOf(person) : null, nameOf(props) ?? null, emailOf(props) ?? null,
      events, first_seen ?? null, last_seen ?? null, ...columns.map((name) => cellOf(props[name])),
    ]),
  ];
}

