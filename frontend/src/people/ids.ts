/** Ids that somebody gives as a file or typed, a line each. */
import type { ChangeCohortPeopleRequest } from '@nimbus-analytics/sdk';
import { anonymousOf, isVisitor } from './id';

type Ids = Pick<ChangeCohortPeopleRequest, 'user_ids' | 'anonymous_ids' | 'csv'>;

/** A first line that names the columns makes it CSV; else each line is an id, with `a:` before one of a visitor. Undefined without any. */
export function idsIn(said: string): Ids | undefined {
  const content = said.replace(/^\ufeff/, '');
  const lines = content.split(/\r\n|\r|\n/).map((line) => line.trim()).filter(Boolean);
  if (lines.length === 0) return undefined;
  const columns = lines[0]!.split(',').map((column) => column.trim().replaceAll('"', ''));
  if (columns.includes('user_id') || columns.includes('anonymous_id')) return { csv: content };
  return listed(lines);
}

/** People by how the server calls them. */
export function listed(people: readonly string[]): Ids {
  const visitors = people.filter(isVisitor).map(anonymousOf);
  const users = people.filter((id) => !isVisitor(id));
  return { ...(users.length > 0 && { user_ids: users }), ...(visitors.length > 0 && { anonymous_ids: visitors }) };
}
