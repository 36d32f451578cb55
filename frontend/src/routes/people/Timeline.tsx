/** What a person did, session by session, the latest first. It opens at the moment that the address names. */
import { listEvents, type Person, type PersonSession, type TimelineEvent, type Touch } from '@nimbus-analytics/sdk';
import { listPersonSessionsInfiniteOptions } from '@nimbus-analytics/sdk/react-query';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { IconActivity, IconExternalLink } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';
import { addDays, clock, day, duration, isoDay, minuteOf, number, startOfDay } from '../../format';
import { p } from '../../people/messages';
import { daysOf, eventAt, sessionAt } from '../../people/timeline';
import { Button, Code, Empty, Failure, Skeleton } from '../../ui';

interface Props {
  person: Person;
  /** How the address names the person. */
  named: string;
  projectId: string;
  zone: string;
}

export function Timeline({ person, named, projectId, zone }: Props) {
  const { at } = useSearch({ from: '/app/projects/$projectId/people/$person' });
  const query = { project_id: projectId, limit: at === undefined ? 20 : 100 };
  const list = useInfiniteQuery({
    ...listPersonSessionsInfiniteOptions({ path: { person: named }, query }),
    initialPageParam: { path: { person: named }, query },
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const sessions = list.data?.pages.flatMap((page) => page.items) ?? [];
  const found = at === undefined ? undefined : sessionAt(sessions, at);
  const { hasNextPage, isFetching, isError, fetchNextPage } = list;
  // Sessions come page by page, the latest first: on until the moment is reached.
  const looking = at !== undefined && list.data !== undefined && found === undefined && hasNextPage;
  useEffect(() => {
    if (looking && !isFetching && !isError) void fetchNextPage();
  }, [looking, isFetching, isError, fetchNextPage]);
  const first = at !== undefined && !looking && found === undefined ? sessions.at(-1) : undefined;
  return (
    <section className="timeline" aria-labelledby="profile-timeline" aria-busy={isFetching}>
      <div className="row wrap">
        <h2 id="profile-timeline" className="grow">{p.person.timeline}</h2>
        {sessions.length > 0 && <Jump at={at} zone={zone} latest={person.last_seen} />}
      </div>
      {looking && <p className="muted small row" role="status"><span className="spinner" />{p.person.looking}</p>}
      {list.error && sessions.length === 0 && <Failure error={list.error} retry={() => void list.refetch()} />}
      {list.isPending && <div className="stack"><Skeleton height={130} /><Skeleton height={130} /><Skeleton height={130} /></div>}
      {list.data && sessions.length === 0 && <div className="panel"><Empty icon={IconActivity} title={p.person.noSessions}><p>{p.person.noSessionsText}</p></Empty></div>}
      {daysOf(sessions, (ts) => isoDay(ts, zone)).map((one) => (
        <section key={one.day} aria-label={day(one.sessions[0]!.start, zone)}>
          <h3>{day(one.sessions[0]!.start, zone)}</h3>
          {one.sessions.map((session) => (
            <Session key={`${session.start} ${session.timeline[0]?.name}`} session={session} person={person} projectId={projectId} zone={zone} at={session === found ? at : undefined} before={session === first} />
          ))}
        </section>
      ))}
      {list.isFetchNextPageError && <Failure error={list.error} retry={() => void list.fetchNextPage()} />}
      {hasNextPage && !looking && !list.isFetchNextPageError && <div><Button busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>{p.person.earlier}</Button></div>}
    </section>
  );
}

/** Goes to the end of a day, or back to the latest. */
function Jump({ at, zone, latest }: { at: string | undefined; zone: string; latest: string | undefined }) {
  const navigate = useNavigate({ from: '/projects/$projectId/people/$person' });
  const go = (next: string | undefined) => void navigate({ search: { ...(next && { at: next }) }, resetScroll: false });
  return (
    <>
      <label className="muted small" htmlFor="jump">{p.person.jump}</label>
      <input
        id="jump"
        className="input jump"
        type="date"
        value={at ? isoDay(at, zone) : ''}
        {...(latest && { max: isoDay(latest, zone) })}
        onChange={(e) => go(e.target.value ? new Date(startOfDay(addDays(e.target.value, 1), zone).getTime() - 1).toISOString() : undefined)}
      />
      {at && <Button className="tiny" onClick={() => go(undefined)}>{p.person.latest}</Button>}
    </>
  );
}

const few = 8;

function fromText(touch: Touch): string | undefined {
  const said = [touch.source, touch.medium, touch.campaign].filter(Boolean).join(' / ') || touch.referrer;
  return said && p.person.from(said);
}

function Session({ session, person, projectId, zone, at, before }: { session: PersonSession; person: Person; projectId: string; zone: string; at: string | undefined; before: boolean }) {
  const chosen = at === undefined ? -1 : eventAt(session, at);
  const [all, setAll] = useState(false);
  const ref = useRef<HTMLDivElement>(null);
  const isFound = at !== undefined || before;
  useEffect(() => {
    if (!isFound) return;
    const target = ref.current!.querySelector<HTMLElement>('.happened[aria-current]') ?? ref.current!;
    target.scrollIntoView({ block: 'center' });
    target.focus({ preventScroll: true });
  }, [isFound, at]);
  const from = all || chosen < few ? 0 : chosen - 2;
  const events = session.timeline.slice(from, all ? undefined : from + few);
  const hidden = session.timeline.length - events.length;
  const beyond = session.events - session.timeline.length;
  const said = [clock(session.start, zone), p.person.sessionOf(duration(Date.parse(session.end) - Date.parse(session.start)), p.person.eventCount(session.events, number(session.events))), fromText(session.touch)].filter(Boolean);
  return (
    <div ref={ref} className={`panel session ${isFound ? 'found' : ''}`} tabIndex={-1}>
      <p className="muted small">{said.join(' · ')}{before && <strong> {p.person.before}</strong>}</p>
      <ol>
        {events.map((event, i) => (
          <Happened key={from + i} event={event} current={from + i === chosen} person={person} projectId={projectId} zone={zone} />
        ))}
      </ol>
      {hidden > 0 && <Button kind="quiet" className="tiny" onClick={() => setAll(true)}>{p.person.moreEvents(number(hidden))}</Button>}
      {beyond > 0 && hidden === 0 && (
        <Link className="small beyond" to="/projects/$projectId/events" params={{ projectId }} search={{ from: session.start, to: new Date(Date.parse(session.end) + 1).toISOString(), ...(person.user_ids[0] !== undefined && { user: person.user_ids[0] }) }}>{p.person.beyond(number(beyond))}</Link>
      )}
    </div>
  );
}

function Happened({ event, current, person, projectId, zone }: { event: TimelineEvent; current: boolean; person: Person; projectId: string; zone: string }) {
  const [open, setOpen] = useState(false);
  return (
    <li>
      <button type="button" className="happened" aria-expanded={open} aria-current={current || undefined} onClick={() => setOpen(!open)}>
        <span className="num muted">{clock(event.ts, zone)}</span>
        <strong className="truncate">{event.name}</strong>
        {current && <span className="badge good">{p.person.moment}</span>}
      </button>
      {open && <Details event={event} person={person} projectId={projectId} zone={zone} />}
    </li>
  );
}

/** The timeline has names and times: the whole event is looked up when it is opened, among those of its millisecond. */
function Details({ event, person, projectId, zone }: { event: TimelineEvent; person: Person; projectId: string; zone: string }) {
  const ms = Date.parse(event.ts);
  const one = useQuery({
    queryKey: ['event at', projectId, person.person, event],
    queryFn: async ({ signal }) => {
      const { data } = await listEvents({ query: { project_id: projectId, name: [event.name], since: new Date(ms).toISOString(), until: new Date(ms + 1).toISOString(), limit: 1000 }, signal, throwOnError: true });
      return data.items.filter((e) => (e.user_id ? person.user_ids.includes(e.user_id) : e.anonymous_id !== undefined && person.anonymous_ids.includes(e.anonymous_id)));
    },
    staleTime: Infinity,
  });
  if (one.error) return <Failure error={one.error} retry={() => void one.refetch()} />;
  if (!one.data) return <Skeleton height={80} />;
  if (one.data.length === 0) return <p className="muted small gone">{p.person.gone}</p>;
  return one.data.map((found) => (
    <div key={found.id} className="details">
      <Code wrap text={JSON.stringify(found.props, null, 2)} />
      <p className="small muted row wrap">
        {minuteOf(found.ts, zone)} · <span className="mono wrap-any">{found.user_id ?? found.anonymous_id}</span>
        <Link className="row" to="/projects/$projectId/events" params={{ projectId }} search={{ event: found.id, name: found.name, from: new Date(ms).toISOString(), to: new Date(ms + 1).toISOString() }}>{p.person.openEvent}<IconExternalLink size={13} aria-hidden /></Link>
      </p>
    </div>
  ));
}
