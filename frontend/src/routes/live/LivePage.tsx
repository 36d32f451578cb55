import { listEventsOptions } from '@nimbus-analytics/sdk/react-query';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { IconAlertTriangle, IconArrowUp, IconBroadcast, IconPlayerPause, IconPlayerPlay, IconX } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { clock, date, dateTime, number } from '../../format';
import { useEventNames, useProject, useTitle } from '../../hooks';
import { useStream, type StreamState } from '../../live';
import { m } from '../../messages';
import { zonePref } from '../../prefs';
import { Button, CommitField, Empty, Failure, Skeleton } from '../../ui';
import { EventDrawer, summary } from '../../events/EventDrawer';
import { EventTable } from '../../events/EventTable';
import { Who } from '../../events/Who';
import { Feed, kept, same, type Row, type View } from './feed';
import type { LiveSearch } from './search';
import './live.css';

type Set = (change: LiveSearch) => void;

export function LivePage() {
  useTitle(m.live.title);
  const project = useProject()!;
  const state = useSearch({ from: '/app/projects/$projectId/live' });
  const navigate = useNavigate({ from: '/projects/$projectId/live' });
  const set: Set = (change) => void navigate({ search: (s) => ({ ...s, ...change }), replace: true, resetScroll: false });
  // Other names are another stream, with its own list: remount.
  return <Listening key={`${project.id} ${JSON.stringify(state.name)}`} projectId={project.id} state={state} set={set} />;
}

function Listening({ projectId, state, set }: { projectId: string; state: LiveSearch; set: Set }) {
  const zone = zonePref.use();
  const [feed] = useState(() => new Feed(Date.now()));
  const [view, setView] = useState<View>(() => feed.view(Date.now()));
  const [paused, setPaused] = useState(false);
  const away = useScrolledAway();
  const held = paused || away;
  const latest = useQuery({ ...listEventsOptions({ query: { project_id: projectId, limit: 50, ...(state.name && { name: state.name }) } }), staleTime: Infinity, gcTime: 0 });
  const [begun, setBegun] = useState(false);
  if (latest.data && !begun) {
    setBegun(true);
    feed.begin(latest.data.items);
    setView(feed.view(feed.begunAt));
  }
  const stream = useStream(projectId, (item) => feed.push(item, Date.now()), state.name);

  useEffect(() => {
    // Four updates a second are enough to read, however fast events come.
    const timer = setInterval(() => {
      if (!held) feed.take();
      const next = feed.view(Date.now());
      setView((now) => (same(now, next) ? now : next));
    }, 250);
    return () => clearInterval(timer);
  }, [feed, held]);

  const events = view.rows.flatMap((r) => (r.type === 'event' ? [r.event] : []));
  const at = events.findIndex((e) => e.id === state.event);

  return (
    <>
      <header className="page-head">
        <h1>{m.live.title}</h1>
        <Status state={stream.state} paused={paused} waiting={view.waiting} />
        <div className="row end">
          <span className="num muted rate"><strong>{number(view.rate)}</strong> {m.live.perSecond}</span>
          <Button aria-pressed={paused} disabled={stream.state === 'ended'} onClick={() => setPaused(!paused)}>
            {paused ? <IconPlayerPlay size={16} aria-hidden /> : <IconPlayerPause size={16} aria-hidden />}
            {paused ? m.live.resume : m.live.pause}
          </Button>
        </div>
      </header>
      <Names chosen={state.name ?? []} set={set} />
      {stream.state === 'ended' && <div className="live-ended"><Failure error={stream.error} retry={stream.retry} /></div>}
      {view.rows.length > 0 ? (
        <Rows rows={view.rows} zone={zone} projectId={projectId} set={set} names={state.name ?? []} />
      ) : stream.state === 'connecting' || latest.isPending ? (
        <div className="panel stack tight" style={{ padding: 16 }}>{Array.from({ length: 6 }, (_, i) => <Skeleton key={i} height={28} />)}</div>
      ) : (
        stream.state !== 'ended' && <Nothing projectId={projectId} names={state.name ?? []} set={set} paused={paused} />
      )}
      {away && view.waiting > 0 && (
        <Button
          kind="primary"
          className="live-top"
          onClick={() => {
            setPaused(false);
            scrollTo({ top: 0 });
          }}
        >
          <IconArrowUp size={16} aria-hidden />
          {m.live.show(number(view.waiting), view.waiting)}
        </Button>
      )}
      {state.event && <EventDrawer id={state.event} known={events[at]} zone={zone} onlyName={(name) => set({ name: [name], event: undefined })} close={() => set({ event: undefined })} go={(step) => events[at + step] && set({ event: events[at + step]!.id })} at={at} count={events.length} />}
    </>
  );
}

/** Whether the page is scrolled down: new rows would move what is being read. */
function useScrolledAway() {
  const [away, setAway] = useState(false);
  useEffect(() => {
    const look = () => setAway(scrollY > 160);
    addEventListener('scroll', look, { passive: true });
    return () => removeEventListener('scroll', look);
  }, []);
  return away;
}

function Status({ state, paused, waiting }: { state: StreamState; paused: boolean; waiting: number }) {
  const held = paused && state === 'open';
  const kind = state === 'open' && !paused ? 'good' : state === 'ended' ? 'bad' : '';
  return (
    <span className={`badge ${kind}`} role="status">
      <span className={`dot ${state === 'ended' || held ? '' : 'pulse'}`} />
      {held ? m.live.paused(number(waiting), waiting) : m.live.states[state]}
    </span>
  );
}

function Names({ chosen, set }: { chosen: string[]; set: Set }) {
  const [typed, setTyped] = useState('');
  const names = useEventNames(typed);
  return (
    <div className="live-names">
      <CommitField
        label={m.live.names}
        placeholder={chosen.length > 0 ? m.explore.addEvent : m.explore.allEvents}
        value=""
        maxLength={200}
        suggestions={names.filter((n) => !chosen.includes(n))}
        onType={setTyped}
        onCommit={(name) => name && set({ name: [...new Set([...chosen, name])] })}
      />
      {chosen.length > 0 && (
        <div className="chips">
          {chosen.map((name) => (
            <button key={name} type="button" className="chip" aria-label={m.explore.remove(name)} onClick={() => set({ name: chosen.length > 1 ? chosen.filter((n) => n !== name) : undefined })}>
              <span className="truncate">{name}</span>
              <IconX size={14} aria-hidden />
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

function Nothing({ projectId, names, set, paused }: { projectId: string; names: string[]; set: Set; paused: boolean }) {
  return (
    <section className="panel">
      <Empty icon={IconBroadcast} title={paused ? m.live.pausedTitle : names.length > 0 ? m.live.emptyNamed(names) : m.live.emptyTitle}>
        <p>{paused ? m.live.pausedText : m.live.emptyText}</p>
        {names.length > 0 ? <Button onClick={() => set({ name: undefined })}>{m.live.allNames}</Button> : <Link className="button" to="/projects/$projectId/install" params={{ projectId }}>{m.install.title}</Link>}
      </Empty>
    </section>
  );
}

/** From a minute before, because an event may be older than its arrival, until now. */
const around = (since: string) => ({ from: new Date(Date.parse(since) - 60_000).toISOString(), to: new Date().toISOString() });

function Rows({ rows, zone, projectId, set, names }: { rows: readonly Row[]; zone: string; projectId: string; set: Set; names: string[] }) {
  return (
    <EventTable
      label={m.live.title}
      zone={zone}
      count={rows.length}
      foot={<p className="muted small foot">{rows.length >= kept ? m.live.kept(number(kept)) : m.live.since}</p>}
      row={(i, place) => {
        const row = rows[i]!;
        if (row.type === 'missed')
          return (
            <div key={row.id} role="row" className="event missed" {...place}>
              <span role="cell" aria-colspan={4}>
                <IconAlertTriangle size={16} aria-hidden />
                <span className="truncate">{m.live.missed(row.count, number(row.count))}</span>
                <Link className="end" to="/projects/$projectId/events" params={{ projectId }} search={{ ...around(row.since), ...(names.length === 1 && { name: names[0]! }) }}>{m.live.seeMissed}</Link>
              </span>
            </div>
          );
        const e = row.event;
        return (
          <div key={row.id} role="row" className="event" {...place}>
            <span role="cell" className="num muted" title={dateTime(e.ts, zone)}><button type="button" className="cell" onClick={() => set({ event: e.id })}><span className="when">{date(e.ts, zone)} </span>{clock(e.ts, zone)}</button></span>
            <span role="cell"><button type="button" tabIndex={-1} className="cell strong truncate" title={m.events.filterBy(e.name)} onClick={() => set({ name: [e.name] })}>{e.name}</button></span>
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
