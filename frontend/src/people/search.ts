/** The state of the pages of people and cohorts in their addresses. Invalid parts are dropped, never an error. */
import { parseClause, type Draft } from './clause';

export interface PeopleState {
  /** What is searched in names, e-mail addresses and ids. */
  q?: string;
  where?: Draft;
  /** The properties that are shown; the usual ones when absent. */
  columns?: string[];
}
export interface PersonState {
  /** The moment at which the timeline opens. */
  at?: string;
}
export interface CohortState {
  /** The conditions, where they are not those that are saved. */
  where?: Draft;
  /** Of a new one. */
  kind?: 'fixed';
}

type Fields = Record<string, unknown>;
/** A number in an address is what somebody typed as digits. */
const text = (x: unknown, most: number) => (typeof x === 'string' && x.trim() !== '' && x.length <= most ? x : typeof x === 'number' ? String(x) : undefined);
function clean<T extends object>(state: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(state).filter(([, v]) => v !== undefined)) as T;
}

export function parsePeople(s: Fields): PeopleState {
  const columns = Array.isArray(s['columns']) ? [...new Set(s['columns'].filter((x): x is string => text(x, 200) !== undefined && typeof x === 'string'))].slice(0, 20) : undefined;
  return clean<PeopleState>({ q: text(s['q'], 200), where: parseClause(s['where']), columns });
}

export const parsePerson = (s: Fields): PersonState => clean<PersonState>({ at: typeof s['at'] === 'string' && !Number.isNaN(Date.parse(s['at'])) ? s['at'] : undefined });

export const parseCohort = (s: Fields): CohortState => clean<CohortState>({ where: parseClause(s['where']), kind: s['kind'] === 'fixed' ? 'fixed' : undefined });
