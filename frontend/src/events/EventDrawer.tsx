import type { StoredEvent } from '@nimbus-analytics/sdk';
import { getEventOptions } from '@nimbus-analytics/sdk/react-query';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { IconChevronDown, IconChevronUp, IconFilter, IconUser } from '@tabler/icons-react';
import { dateTime } from '../format';
import { useProject } from '../hooks';
import { m } from '../messages';
import { personOf } from '../people/id';
import { Button, Code, CopyButton, Dialog, Failure, IconButton, Skeleton } from '../ui';

/** The first properties, on one line. */
export const summary = (props: Record<string, unknown>) =>
  Object.entries(props)
    .slice(0, 6)
    .map(([k, v]) => `${k}=${typeof v === 'string' ? v : JSON.stringify(v)}`)
    .join('  ');

/** One event, in a drawer beside the list from which it was opened. */
export function EventDrawer({ id, known, zone, onlyName, onlyPerson, close, go, at, count }: { id: string; known: StoredEvent | undefined; zone: string; onlyName: (name: string) => void; onlyPerson?: (userId: string) => void; close: () => void; go: (step: number) => void; at: number; count: number }) {
  const project = useProject()!;
  const one = useQuery({ ...getEventOptions({ path: { event_id: id } }), enabled: known === undefined });
  const event = known ?? one.data;
  const person = event && personOf(event);
  return (
    <Dialog variant="side" title={event?.name ?? m.events.detail} onClose={close}>
      {one.error && <Failure error={one.error} retry={() => void one.refetch()} />}
      {!event && !one.error && <Skeleton height={240} />}
      {event && (
        <div className="stack">
          <dl className="facts">
            <dt>{m.events.time}</dt><dd className="num">{dateTime(event.ts, zone)}</dd>
            <dt>{m.events.received}</dt><dd className="num">{dateTime(event.received_at, zone)}</dd>
            <dt>{m.events.person}</dt>
            <dd className="wrap-any">{event.user_id ?? (event.anonymous_id ? `${event.anonymous_id} (${m.events.anonymous})` : m.events.nobody)}</dd>
            {event.seq !== undefined && (<><dt>{m.events.seq}</dt><dd className="num">{event.seq}</dd></>)}
            <dt>{m.events.id}</dt><dd className="mono wrap-any">{event.id}</dd>
          </dl>
          <div className="row wrap">
            {person !== undefined && <Link className="button" to="/projects/$projectId/people/$person" params={{ projectId: project.id, person }} search={{ at: event.ts }}><IconUser size={16} aria-hidden />{m.events.openPerson}</Link>}
            <Button onClick={() => onlyName(event.name)}><IconFilter size={16} aria-hidden />{m.events.onlyName(event.name)}</Button>
            {onlyPerson && event.user_id && <Button onClick={() => onlyPerson(event.user_id!)}><IconFilter size={16} aria-hidden />{m.events.onlyPerson}</Button>}
            <CopyButton className="" label={m.events.copyLink} text={location.href} />
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
