import type { StoredEvent } from '@nimbus-analytics/sdk';
import { listEventsInfiniteOptions } from '@nimbus-analytics/sdk/react-query';
import { useInfiniteQuery, useMutation } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { IconDownload, IconRefresh, IconSearchOff, IconX } from '@tabler/icons-react';
import { useMemo, useState, type ReactNode } from 'react';
import { clock, date, dateTime, isoDay, number } from '../../format';
import { propPath, useEventNames, useProject, usePropNames, usePropValues, useTitle } from '../../hooks';
import { downloadCsv } from '../../lib/download';
import { m } from '../../messages';
import { zonePref } from '../../prefs';
import { Button, CommitField, Empty, Failure, IconButton, Skeleton, toast } from '../../ui';
import { writeScalar } from '../../query/filter';
import { RangePicker } from '../../query/RangePicker';
import { EventDrawer, summary } from '../../events/EventDrawer';
import { EventTable } from '../../events/EventTable';
import { Who } from '../../events/Who';
import { eventsOf, mostExported, rowsOf } from './exporting';
import { propOf, queryOf } from './query';
import type { EventsState } from './search';
import './filters.css';

export function EventsPage() {
  useTitle(m.events.title);
  const project = useProject()!;
  const state = useSearch({ from: '/app/projects/$projectId/events' });
  const navigate = useNavigate({ from: '/projects/$projectId/events' });
  const set = (change: Partial<EventsState>) => void navigate({ search: (s) => ({ ...s, ...change }), replace: 'event' in change, resetScroll: !('event' in change) });
  const zone = zonePref.use();
  const [typedName, setTypedName] = useState('');
  const names = useEventNames(typedName);
  const props = usePropNames(state.name);
  const [typed, setTyped] = useState(''); // of a property: its name, and behind the = its value
  const [typedProp = '', ...typedValue] = typed.split('=');
  const values = usePropValues(typedValue.length > 0 ? propPath(typedProp.trim()) : '', typedValue.join('='));
  const [now, setNow] = useState(Date.now); // all pages of a list count back from one instant
  const query = useMemo(() => queryOf(state, project.id, now), [state, project.id, now]);
  const list = useInfiniteQuery({
    ...listEventsInfiniteOptions({ query }),
    initialPageParam: { query },
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    placeholderData: (old) => old,
  });
  const events = useMemo(() => list.data?.pages.flatMap((p) => p.items) ?? [], [list.data]);
  const stale = list.isPlaceholderData; // still the list of the conditions before
  const at = events.findIndex((e) => e.id === state.event);
  const [unclear, setUnclear] = useState(''); // what was typed and has no value
  const addProp = (text: string) => {
    const clear = propOf(text) !== undefined;
    setUnclear(clear ? '' : text);
    if (clear) set({ prop: [...new Set([...(state.prop ?? []), text])] });
  };
  const exported = useMutation({
    mutationFn: () => eventsOf(query),
    onSuccess: ({ events: all, more }) => {
      downloadCsv(`nimbus-events-${isoDay(now, zone)}.csv`, rowsOf(all));
      if (more) toast(m.events.exportedSome(number(mostExported)));
    },
  });
  const filtered = state.name !== undefined || state.user !== undefined || state.prop !== undefined;

  return (
    <>
      <header className="page-head">
        <h1>{m.events.title}</h1>
        {list.data && !stale && <span className="muted num">{m.events.count(number(events.length), list.hasNextPage)}</span>}
        <div className="row end">
          <RangePicker range={state} zone={zone} onChange={(r) => set({ range: undefined, from: undefined, to: undefined, ...r })} />
          <Button busy={exported.isPending} disabled={events.length === 0} title={m.events.exportHint(number(mostExported))} onClick={() => exported.mutate()}><IconDownload size={16} aria-hidden />{m.explore.csv}</Button>
          <IconButton label={m.events.refresh} icon={IconRefresh} onClick={() => setNow(Date.now())} />
        </div>
      </header>
      <div className="filters">
        <CommitField label={m.events.name} placeholder={m.events.anyName} value={state.name ?? ''} suggestions={names} onType={setTypedName} onCommit={(name) => set({ name: name || undefined })} />
        <CommitField label={m.events.person} placeholder={m.events.personPlaceholder} value={state.user ?? ''} onCommit={(user) => set({ user: user || undefined })} />
        <CommitField label={m.events.props} placeholder={state.prop ? m.events.propsMore : m.events.propsPlaceholder} value={unclear} error={unclear ? m.events.propsNeeded : undefined} suggestions={typedValue.length > 0 ? values.map((v) => `${typedProp}=${writeScalar(v)}`) : props.names.map((p) => `${p}=`)} onType={setTyped} onCommit={addProp} />
        {state.prop && (
          <div className="chips">
            {state.prop.map((text: string) => (
              <button key={text} type="button" className="chip" aria-label={m.explore.remove(text)} onClick={() => set({ prop: without(state.prop, text) })}>
                <span className="truncate">{text}</span>
                <IconX size={14} aria-hidden />
              </button>
            ))}
          </div>
        )}
        {filtered && <Button kind="quiet" onClick={() => set({ name: undefined, user: undefined, prop: undefined })}>{m.events.clear}</Button>}
      </div>
      {exported.error && <div className="page-note" style={{ marginTop: 0 }}><Failure error={exported.error} /></div>}
      {list.error && !list.data ? (
        <Failure error={list.error} retry={() => void list.refetch()} />
      ) : !list.data || (stale && events.length === 0) ? (
        <div className="panel body stack tight" style={{ padding: 16 }}>{Array.from({ length: 10 }, (_, i) => <Skeleton key={i} height={28} />)}</div>
      ) : events.length === 0 ? (
        <section className="panel">
          <Empty icon={IconSearchOff} title={filtered ? m.events.emptyTitle : m.overview.quiet}>
            <p>{filtered ? m.events.emptyText : m.overview.quietText}</p>
            {!filtered && <Link className="button primary" to="/projects/$projectId/install" params={{ projectId: project.id }}>{m.install.title}</Link>}
            <Button onClick={() => set({ name: undefined, user: undefined, prop: undefined, range: '12mo', from: undefined, to: undefined })}>{filtered ? m.events.clear : m.range.presets['12mo']}</Button>
          </Empty>
        </section>
      ) : (
        <Rows events={events} zone={zone} stale={stale} more={list.hasNextPage} loading={list.isFetchingNextPage} failed={list.error && <Failure error={list.error} retry={() => void (list.isFetchNextPageError ? list.fetchNextPage() : list.refetch())} />} loadMore={() => void list.fetchNextPage()} open={(id) => set({ event: id })} filter={set} />
      )}
      {state.event && <EventDrawer id={state.event} known={events[at]} zone={zone} onlyName={(name) => set({ name, event: undefined })} onlyPerson={(user) => set({ user, event: undefined })} close={() => set({ event: undefined })} go={(step) => events[at + step] && set({ event: events[at + step]!.id })} at={at} count={events.length} />}
    </>
  );
}

/** The properties without one of them; none is not in the address. */
const without = (props: readonly string[] | undefined, text: string) => {
  const left = props?.filter((x) => x !== text) ?? [];
  return left.length > 0 ? left : undefined;
};

function Rows({ events, zone, stale, more, loading, failed, loadMore, open, filter }: { events: StoredEvent[]; zone: string; stale: boolean; more: boolean; loading: boolean; failed: ReactNode; loadMore: () => void; open: (id: string) => void; filter: (s: Partial<EventsState>) => void }) {
  return (
    <EventTable
      label={m.events.title}
      zone={zone}
      stale={stale}
      count={events.length}
      rowCount={more ? -1 : events.length + 1}
      reached={(last) => {
        if (more && !stale && !loading && !failed && last >= events.length - 20) loadMore();
      }}
      foot={failed && !loading ? <div className="foot">{failed}</div> : <p className="muted small foot" role="status">{stale ? m.loading : loading ? m.events.older : more ? '' : m.events.end}</p>}
      row={(i, place) => {
        const e = events[i]!;
        return (
          <div key={e.id} role="row" className="event" {...place}>
            <span role="cell" className="num muted" title={dateTime(e.ts, zone)}><button type="button" className="cell" onClick={() => open(e.id)}><span className="when">{date(e.ts, zone)} </span>{clock(e.ts, zone)}</button></span>
            <span role="cell"><button type="button" tabIndex={-1} className="cell strong truncate" title={m.events.filterBy(e.name)} onClick={() => filter({ name: e.name })}>{e.name}</button></span>
            <span role="cell" className="truncate">
              <Who event={e} />
            </span>
            <span role="cell" className="hide-narrow truncate muted mono">{summary(e.props)}</span>
          </div>
        );
      }}
    />
  );
}
