import type { StoredEvent } from '@nimbus-analytics/sdk';
import { getEventOptions, listEventsInfiniteOptions } from '@nimbus-analytics/sdk/react-query';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { IconChevronDown, IconChevronUp, IconRefresh, IconSearchOff, IconUser } from '@tabler/icons-react';
import { useEffect, useMemo, useRef, useState } from 'react';
import { clock, date, dateTime, number } from '../../format';
import { useEventNames, useProject, usePropNames, useTitle } from '../../hooks';
import { m } from '../../messages';
import { zonePref } from '../../prefs';
import { Button, Code, CommitField, CopyButton, Dialog, Empty, Failure, IconButton, Skeleton } from '../../ui';
import { RangePicker } from '../explore/RangePicker';
import { queryOf } from './query';
import type { EventsState } from './search';
import './events.css';

export function EventsPage() {
  useTitle(m.events.title);
  const project = useProject()!;
  const state = useSearch({ from: '/app/projects/$projectId/events' });
  const navigate = useNavigate({ from: '/projects/$projectId/events' });
  const set = (change: Partial<EventsState>) => void navigate({ search: (s) => ({ ...s, ...change }), replace: 'event' in change });
  const zone = zonePref.use();
  const names = useEventNames();
  const props = usePropNames();
  const [now, setNow] = useState(Date.now); // the pages of one list begin at one instant
  const query = useMemo(() => queryOf(state, project.id, now), [state, project.id, now]);
  const list = useInfiniteQuery({
    ...listEventsInfiniteOptions({ query }),
    initialPageParam: { query },
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    placeholderData: (old) => old,
  });
  const events = useMemo(() => list.data?.pages.flatMap((p) => p.items) ?? [], [list.data]);
  const at = events.findIndex((e) => e.id === state.event);
  const filtered = state.name !== undefined || state.user !== undefined || state.prop !== undefined;

  return (
    <>
      <header className="page-head">
        <h1>{m.events.title}</h1>
        {list.data && <span className="muted num">{m.events.count(number(events.length), list.hasNextPage)}</span>}
        <div className="row end">
          <RangePicker range={state} zone={zone} onChange={(r) => set({ range: undefined, from: undefined, to: undefined, ...r })} />
          <IconButton label={m.events.refresh} icon={IconRefresh} onClick={() => setNow(Date.now())} />
        </div>
      </header>
      <div className="filters">
        <CommitField label={m.events.name} placeholder={m.events.anyName} value={state.name ?? ''} suggestions={names} onCommit={(name) => set({ name: name || undefined })} />
        <CommitField label={m.events.person} placeholder={m.events.personPlaceholder} value={state.user ?? ''} onCommit={(user) => set({ user: user || undefined })} />
        <CommitField label={m.events.props} placeholder={m.events.propsPlaceholder} value={state.prop ?? ''} suggestions={props.all.map((p) => `${p}=`)} onCommit={(prop) => set({ prop: prop || undefined })} />
        {filtered && <Button kind="quiet" onClick={() => set({ name: undefined, user: undefined, prop: undefined })}>{m.events.clear}</Button>}
      </div>
      {list.error ? (
        <Failure error={list.error} retry={() => void list.refetch()} />
      ) : !list.data ? (
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
        <Rows events={events} zone={zone} more={list.hasNextPage} loading={list.isFetchingNextPage} loadMore={() => void list.fetchNextPage()} open={(id) => set({ event: id })} filter={set} />
      )}
      {state.event && <Detail id={state.event} known={events[at]} zone={zone} close={() => set({ event: undefined })} go={(step) => events[at + step] && set({ event: events[at + step]!.id })} at={at} count={events.length} />}
    </>
  );
}

const rowHeight = 42;

/** Only the rows in sight are in the page, so that scrolling through ten thousand is as light as through ten. */
function Rows({ events, zone, more, loading, loadMore, open, filter }: { events: StoredEvent[]; zone: string; more: boolean; loading: boolean; loadMore: () => void; open: (id: string) => void; filter: (s: Partial<EventsState>) => void }) {
  const ref = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  useEffect(() => setTop(ref.current!.getBoundingClientRect().top + scrollY), []);
  const rows = useWindowVirtualizer({ count: events.length, estimateSize: () => rowHeight, overscan: 12, scrollMargin: top });
  const items = rows.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && !loading && last >= events.length - 20) loadMore();
  }, [more, loading, last, events.length, loadMore]);

  return (
    <div className="panel events">
    <div role="table" aria-label={m.events.title} aria-rowcount={more ? -1 : events.length + 1}>
      <div role="rowgroup">
        <div role="row" className="event head">
          <span role="columnheader">{m.events.time}</span>
          <span role="columnheader">{m.events.name}</span>
          <span role="columnheader">{m.events.person}</span>
          <span role="columnheader" className="hide-narrow">{m.events.properties}</span>
        </div>
      </div>
      <div ref={ref} role="rowgroup" className="window" style={{ height: rows.getTotalSize() }}>
        {items.map((item) => {
          const e = events[item.index]!;
          return (
            <div key={e.id} role="row" aria-rowindex={item.index + 2} className="event" style={{ transform: `translateY(${item.start - top}px)` }}>
              <span role="cell" className="num muted" title={dateTime(e.ts, zone)}><button type="button" className="cell" onClick={() => open(e.id)}><span className="when">{date(e.ts, zone)} </span>{clock(e.ts, zone)}</button></span>
              <span role="cell"><button type="button" className="cell strong truncate" title={m.events.filterBy(e.name)} onClick={() => filter({ name: e.name })}>{e.name}</button></span>
              <span role="cell" className="truncate">
                {e.user_id ? <button type="button" className="cell truncate" title={m.events.filterBy(e.user_id)} onClick={() => filter({ user: e.user_id })}>{e.user_id}</button> : <span className="muted">{e.anonymous_id ?? m.events.nobody}</span>}
              </span>
              <span role="cell" className="hide-narrow truncate muted mono">{summary(e.props)}</span>
            </div>
          );
        })}
      </div>
    </div>
      <p className="muted small foot" role="status">{loading ? m.events.older : more ? '' : m.events.end}</p>
    </div>
  );
}

const summary = (props: Record<string, unknown>) =>
  Object.entries(props)
    .slice(0, 6)
    .map(([k, v]) => `${k}=${typeof v === 'string' ? v : JSON.stringify(v)}`)
    .join('  ');

function Detail({ id, known, zone, close, go, at, count }: { id: string; known: StoredEvent | undefined; zone: string; close: () => void; go: (step: number) => void; at: number; count: number }) {
  const project = useProject()!;
  const one = useQuery({ ...getEventOptions({ path: { event_id: id } }), enabled: known === undefined });
  const event = known ?? one.data;
  return (
    <Dialog key={id} variant="side" title={event?.name ?? m.events.detail} onClose={close}>
      {one.error && <Failure error={one.error} retry={() => void one.refetch()} />}
      {!event && !one.error && <Skeleton height={240} />}
      {event && (
        <div className="stack">
          <dl className="facts">
            <dt>{m.events.time}</dt><dd className="num">{dateTime(event.ts, zone)}</dd>
            <dt>{m.events.received}</dt><dd className="num">{dateTime(event.received_at, zone)}</dd>
            <dt>{m.events.person}</dt>
            <dd className="truncate">{event.user_id ?? (event.anonymous_id ? `${event.anonymous_id} (${m.events.anonymous})` : m.events.nobody)}</dd>
            {event.seq !== undefined && (<><dt>{m.events.seq}</dt><dd className="num">{event.seq}</dd></>)}
            <dt>{m.events.id}</dt><dd className="mono truncate">{event.id}</dd>
          </dl>
          <div className="row wrap">
            {event.user_id && <Link className="button" to="/projects/$projectId/people/$userId" params={{ projectId: project.id, userId: event.user_id }}><IconUser size={16} aria-hidden />{m.events.openPerson}</Link>}
            <CopyButton className="" label={m.events.copyJson} text={JSON.stringify(event, null, 2)} />
            <span className="row end" style={{ gap: 2 }}>
              <IconButton label={m.events.previous} icon={IconChevronUp} disabled={at <= 0} onClick={() => go(-1)} />
              <IconButton label={m.events.next} icon={IconChevronDown} disabled={at < 0 || at >= count - 1} onClick={() => go(1)} />
            </span>
          </div>
          <div className="stack tight">
            <h3>{m.events.properties}</h3>
            <Code wrap text={JSON.stringify(event.props, null, 2)} />
          </div>
        </div>
      )}
    </Dialog>
  );
}
