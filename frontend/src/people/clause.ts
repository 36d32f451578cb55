/** Who is meant: the tree of a cohort while it is made. Its parts in the address, whether it can be asked, and its words. */
import type { ClauseDid, ClauseFirst, ClauseSequence, CohortClause, MetricsFilter, Step, Times, Within } from '@nimbus-analytics/sdk';
import { instant, isObject, text, whole, type Fields } from '../lib/read';
import { parseFilter } from '../query/filter';

/** A clause, of which a part may still be missing: the conditions of a profile, the cohort. */
export type Draft = ClauseDid | ClauseFirst | ClauseSequence | { op: 'profile'; filter?: MetricsFilter } | { op: 'in'; cohort?: string } | { op: 'not'; clause: Draft } | Group;
export interface Group {
  op: 'and' | 'or';
  clauses: Draft[];
}
/** What a line of the editor says: all but `not` and its opposites. */
export type Leaf = Exclude<Draft, Group | { op: 'not' }>;

// As many as the server takes.
const most = { depth: 8, clauses: 50, ofGroup: 20, days: 3660, times: 1_000_000, window: 31_622_400 };

/** Without what is undefined; undefined when nothing is left. */
function some<T extends object>(of: T): T | undefined {
  const kept = Object.entries(of).filter(([, v]) => v !== undefined);
  return kept.length > 0 ? (Object.fromEntries(kept) as T) : undefined;
}

const parseStep = (x: Fields): Step => some({ event: text(x['event']), custom_event: text(x['custom_event'], 36), filter: parseFilter(x['filter']) }) as Step ?? {};

function parseWithin(x: unknown): Within | undefined {
  if (!isObject(x)) return undefined;
  const last_days = whole(x['last_days'], 1, most.days);
  return last_days === undefined ? (some({ from: instant(x['from']), to: instant(x['to']) }) as Within | undefined) : { last_days };
}

/** How often: from so many to so many. Both bounds are in it, whichever signs the clause has. */
export interface Often {
  from: number;
  to?: number;
}
export function oftenOf(times: Times | undefined): Often {
  if (!times || Object.keys(times).length === 0) return { from: 1 };
  const from = Math.max(times.eq ?? 0, times.gte ?? 0, (times.gt ?? -1) + 1);
  const to = Math.min(times.eq ?? Infinity, times.lte ?? Infinity, (times.lt ?? Infinity) - 1);
  return to === Infinity ? { from } : { from, to: Math.max(0, to) };
}
/** The inverse. At least once is what is meant when nothing is said. */
export function timesOf({ from, to }: Often): Times | undefined {
  if (to === undefined) return from === 1 ? undefined : { gte: from };
  if (from === to) return { eq: from };
  return from === 0 ? { lte: to } : { gte: from, lte: to };
}

function parseTimes(x: unknown): Times | undefined {
  if (!isObject(x)) return undefined;
  return some(Object.fromEntries(['eq', 'gt', 'gte', 'lt', 'lte'].map((name) => [name, whole(x[name], 0, most.times)])));
}

/** The tree of an address or of a saved cohort; undefined where it is none. */
export function parseClause(x: unknown): Draft | undefined {
  let count = 0;
  const read = (node: unknown, depth: number): Draft | undefined => {
    if (!isObject(node) || depth > most.depth || ++count > most.clauses) return undefined;
    const within = parseWithin(node['within']);
    switch (node['op']) {
      case 'and':
      case 'or': {
        const clauses = Array.isArray(node['clauses']) ? node['clauses'].slice(0, most.ofGroup).map((c) => read(c, depth + 1)).filter((c) => c !== undefined) : [];
        return clauses.length > 0 ? { op: node['op'], clauses } : undefined;
      }
      case 'not': {
        const clause = read(node['clause'], depth + 1);
        return clause && negated(clause);
      }
      case 'did':
        return some({ op: 'did' as const, ...parseStep(node), times: parseTimes(node['times']), within }) as ClauseDid;
      case 'first':
        return { op: 'first', ...parseStep(node), within: within ?? { last_days: 30 } };
      case 'sequence': {
        const steps = Array.isArray(node['steps']) ? node['steps'].slice(0, 20).filter(isObject).map(parseStep) : [];
        return some({ op: 'sequence' as const, steps: steps.length > 0 ? steps : [{}, {}], window_seconds: whole(node['window_seconds'], 1, most.window), within }) as ClauseSequence;
      }
      case 'profile':
        return some({ op: 'profile' as const, filter: parseFilter(node['filter']) });
      case 'in':
        return some({ op: 'in' as const, cohort: text(node['cohort'], 100) });
      default:
        return undefined;
    }
  };
  return read(x, 1);
}

/** The opposite. Nothing is said twice: not not is nothing. */
export const negated = (clause: Draft): Draft => (clause.op === 'not' ? clause.clause : { op: 'not', clause });

/** The root for the editor, which always shows a group. */
export const asGroup = (clause: Draft | undefined): Group | undefined => (clause === undefined || clause.op === 'and' || clause.op === 'or' ? clause : { op: 'and', clauses: [clause] });
/** The inverse: a group of one is that one. */
export const simple = (group: Group | undefined): Draft | undefined => (group?.clauses.length === 1 ? group.clauses[0] : group);

/** The clause as the server takes it; undefined while a part of it is missing. */
export function complete(clause: Draft | undefined): CohortClause | undefined {
  return clause !== undefined && isComplete(clause) ? (clause as CohortClause) : undefined;
}
function isComplete(clause: Draft): boolean {
  switch (clause.op) {
    case 'and':
    case 'or':
      return clause.clauses.length > 0 && clause.clauses.every(isComplete);
    case 'not':
      return isComplete(clause.clause);
    case 'profile':
      return clause.filter !== undefined;
    case 'in':
      return clause.cohort !== undefined;
    case 'sequence':
      return clause.steps.length === 1 || clause.steps.every((step) => step.event !== undefined || step.custom_event !== undefined || step.filter !== undefined);
    default:
      return true;
  }
}

export const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
/** With the members of objects in one order: the server's is not that of the page. */
function sorted(x: unknown): unknown {
  if (Array.isArray(x)) return x.map(sorted);
  return isObject(x) ? Object.fromEntries(Object.entries(x).sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, sorted(v)])) : x;
}
