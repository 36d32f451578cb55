import type { StoredEvent } from '@nimbus-analytics/sdk';
import { listEventsInfiniteOptions } from '@nimbus-analytics/sdk/react-query';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { IconArrowLeft, IconUserOff } from '@tabler/icons-react';
import { useState } from 'react';
import { ago, clock, date, dateTime, day, duration, isoDay, number } from '../../format';
import { useProject, useTitle } from '../../hooks';
import { m } from '../../messages';
import { zonePref } from '../../prefs';
import { Button, Code, CopyButton, Empty, Failure, Skeleton } from '../../ui';
import { summary } from '../../events/EventDrawer';
import { beginOf, daysOf } from './sessions';
import './people.css';

export function PersonPage() {
  const { userId } = useParams({ from: '/app/projects/$projectId/people/$userId' });
  useTitle(userId);
  const project = useProject()!;
  const zone = zonePref.use();
  const query = { project_id: project.id, user_id: userId, limit: 200 };
  const list = useInfiniteQuery({
    ...listEventsInfiniteOptions({ query }),
    initialPageParam: { query },
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const events = list.data?.pages.flatMap((p) => p.items) ?? [];
  const days = daysOf(events, (ts) => isoDay(ts, zone));
  return (
    <>
      <p style={{ marginBottom: 8 }}>
        <Link className="row muted small" style={{ textDecoration: 'none', display: 'inline-flex' }} to="/projects/$projectId/people" params={{ projectId: project.id }}><IconArrowLeft size={15} aria-hidden />{m.people.back}</Link>
      </p>
      <header className="page-head">
        <h1 className="truncate" title={userId}>{userId}</h1>
        <CopyButton text={userId} />
      </header>
      {list.error && !list.isFetchNextPageError && <Failure error={list.error} retry={() => void list.refetch()} />}
      {list.isPending && <div className="stack"><Skeleton height={80} /><Skeleton height={240} /></div>}
      {list.data && events.length === 0 && (
        <section className="panel">
          <Empty icon={IconUserOff} title={m.people.notFoundTitle(userId)}>
            <p>{m.people.notFoundText}</p>
            <Link className="button" to="/projects/$projectId/events" params={{ projectId: project.id }} search={{ range: '30d' }}>{m.events.title}</Link>
          </Empty>
        </section>
      )}
      {events.length > 0 && (
        <>
          <dl className="person">
            <div className="panel"><dt>{m.people.lastSeen}</dt><dd title={dateTime(events[0]!.ts, zone)}>{ago(events[0]!.ts)}</dd></div>
            {!list.hasNextPage && <div className="panel"><dt>{m.people.firstSeen}</dt><dd>{date(events.at(-1)!.ts, zone)}</dd></div>}
            <div className="panel"><dt>{m.people.loaded}</dt><dd className="num">{number(events.length)}{list.hasNextPage && '+'}</dd></div>
          </dl>
          <div className="timeline">
            {days.map((d) => (
              <section key={d.day} aria-label={day(beginOf(d.visits[0]!), zone)}>
                <h2>{day(beginOf(d.visits[0]!), zone)}</h2>
                {d.visits.map((visit) => (
                  <div key={visit.events[0]!.id} className="panel visit">
                    <p className="muted small">{m.people.session(duration(visit.ms), m.people.eventCount(visit.events.length, number(visit.events.length)))}</p>
                    <ol>
                      {visit.events.map((e) => (
                        <Happened key={e.id} event={e} zone={zone} />
                      ))}
                    </ol>
                  </div>
                ))}
              </section>
            ))}
          </div>
          {list.isFetchNextPageError && <Failure error={list.error} retry={() => void list.fetchNextPage()} />}
          {list.hasNextPage && !list.isFetchNextPageError && <Button busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>{m.people.earlier}</Button>}
        </>
      )}
    </>
  );
}

function Happened({ event, zone }: { event: StoredEvent; zone: string }) {
  const [open, setOpen] = useState(false);
  return (
    <li>
      <button type="button" className="happened" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span className="num muted">{clock(event.ts, zone)}</span>
        <strong className="truncate">{event.name}</strong>
        <span className="muted mono truncate hide-narrow">{summary(event.props)}</span>
      </button>
      {open && <Code wrap text={JSON.stringify(event, null, 2)} />}
    </li>
  );
}
