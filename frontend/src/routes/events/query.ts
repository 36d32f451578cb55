import { readScalar } from '../../query/filter';
import { weekOf } from '../../query/question';
import { spanned } from '../../query/range';
import type { EventsState } from './search';

/** Parses plan=pro into a property and its value; undefined when one is missing. */
export function propOf(text: string): Record<string, string | number | boolean> | undefined {
  const [prop = '', ...value] = text.split('=');
  return prop.trim() && value.join('=').trim() ? { [prop.trim()]: readScalar(value.join('=')) } : undefined;
}

/** The query for a list. Its times are absolute, so that every page counts from the same instant. */
export function queryOf(s: EventsState, project_id: string, now: number) {
  const props: ReturnType<typeof propOf> = Object.assign({}, ...(s.prop ?? []).map(propOf));
  return {
    project_id,
    limit: 100,
    ...(s.from || s.range ? spanned(s, now, weekOf(project_id)) : {}),
    ...(s.name && { name: [s.name] }),
    ...(s.user && { user_id: s.user }),
    ...(props && Object.keys(props).length > 0 && { props: JSON.stringify(props) }),
  };
}
