import { readScalar } from '../explore/filter';
import { lengthOf } from '../explore/range';
import type { EventsState } from './search';

/** What to ask for: absolute times, because pages must go on from where the first began. */
export function queryOf(s: EventsState, project_id: string, now: number) {
  const [prop, ...value] = (s.prop ?? '').split('=');
  return {
    project_id,
    limit: 100,
    ...(s.from && s.to ? { since: s.from, until: s.to } : s.range ? { since: new Date(now - lengthOf(s.range)).toISOString() } : {}),
    ...(s.name && { name: [s.name] }),
    ...(s.user && { user_id: s.user }),
    ...(prop && value.length > 0 && { props: JSON.stringify({ [prop.trim()]: readScalar(value.join('=')) }) }),
  };
}
