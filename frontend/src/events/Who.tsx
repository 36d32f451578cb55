import type { StoredEvent } from '@nimbus-analytics/sdk';
import { Link } from '@tanstack/react-router';
import { m } from '../messages';
import { personOf } from '../people/id';

/** Who did an event. The profile opens at that moment. */
export function Who({ event }: { event: StoredEvent }) {
  const person = personOf(event);
  if (person === undefined) return <span className="muted">{m.events.nobody}</span>;
  return <Link className={`cell truncate ${event.user_id ? '' : 'muted'}`} tabIndex={-1} title={m.events.openPerson} to="/projects/$projectId/people/$person" params={{ projectId: event.project_id, person }} search={{ at: event.ts }}>{event.user_id ?? event.anonymous_id}</Link>;
}
