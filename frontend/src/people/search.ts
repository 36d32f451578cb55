/** The state of the pages of people and cohorts in their addresses. Invalid parts are dropped, never an error. */
import { clean, instant, typed, type Fields } from '../lib/read';
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

const said = (x: unknown) => typed(typeof x === 'string' && x.trim() === '' ? undefined : x, 200);

export function parsePeople(s: Fields): PeopleState {
  const columns = Array.isArray(s['columns']) ? [...new Set(s['columns'].filter((x): x is string => typeof x === 'string' && said(x) !== undefined))].slice(0, 20) : undefined;
  return clean<PeopleState>({ q: said(s['q']), where: parseClause(s['where']), columns });
}

export const parsePerson = (s: Fields): PersonState => clean<PersonState>({ at: instant(s['at']) });

export const parseCohort = (s: Fields): CohortState => clean<CohortState>({ where: parseClause(s['where']), kind: s['kind'] === 'fixed' ? 'fixed' : undefined });
