import { expect, it } from 'vitest';
import { complete, isSame, oftenOf, parseClause, timesOf } from './clause';
import { personOf, personOfUser } from './id';
import { idsIn } from './ids';
import { parsePeople, parsePerson } from './search';
import { eventAt, sessionAt } from './timeline';
import { nameOf, titleOf } from './who';

const buyers = { op: 'did', event: 'purchase', times: { gte: 2 }, within: { last_days: 30 } };

it('reads the tree of an address, and drops what is no clause', () => {
  const tree = { op: 'or', clauses: [buyers, { op: 'not', clause: { op: 'in', cohort: 'x' } }, { op: 'sequence', steps: [{ event: 'a' }, { event: 'b' }], window_seconds: 60 }] };
  expect(parseClause(tree)).toEqual(tree);
  expect(parseClause({ op: 'and', clauses: [buyers, { op: 'bogus' }, 5] })).toEqual({ op: 'and', clauses: [buyers] });
  expect(parseClause({ op: 'and', clauses: [] })).toBeUndefined();
  expect(parseClause({ ...buyers, times: { gte: -1 }, within: { last_days: 0 }, filter: { op: 'eq' } })).toEqual({ op: 'did', event: 'purchase' });
  expect(parseClause('did')).toBeUndefined();
});
it('says nothing twice: the opposite of an opposite', () => {
  expect(parseClause({ op: 'not', clause: { op: 'not', clause: { op: 'did' } } })).toEqual({ op: 'did' });
});
it('asks only what is complete', () => {
  expect(complete({ op: 'did' })).toEqual({ op: 'did' }); // anything at all
  expect(complete({ op: 'profile' })).toBeUndefined();
  expect(complete({ op: 'and', clauses: [{ op: 'did' }, { op: 'not', clause: { op: 'in' } }] })).toBeUndefined();
  expect(complete({ op: 'sequence', steps: [{ event: 'a' }, {}] })).toBeUndefined();
});
it.each([
  [undefined, { from: 1 }],
  [{ gt: 2 }, { from: 3 }],
  [{ eq: 0 }, { from: 0, to: 0 }],
  [{ lte: 3 }, { from: 0, to: 3 }],
  [{ gte: 2, lt: 5 }, { from: 2, to: 4 }],
])('reads how often as two bounds: %j', (times, often) => {
  expect(oftenOf(times)).toEqual(often);
  expect(oftenOf(timesOf(often))).toEqual(often);
});
it('takes trees for the same in whatever order their members are', () => {
  expect(isSame({ op: 'did', event: 'a' }, { event: 'a', op: 'did' })).toBe(true);
  expect(isSame({ op: 'did', event: 'a' }, { event: 'b', op: 'did' })).toBe(false);
});
it('takes a first line that names columns for CSV, and other lines for ids', () => {
  expect(idsIn('\ufeffuser_id,plan\r\nu1,pro\r\n')).toEqual({ csv: 'user_id,plan\r\nu1,pro\r\n' });
  expect(idsIn(' u1 \n\na:v1\nu,2')).toEqual({ user_ids: ['u1', 'u,2'], anonymous_ids: ['v1'] });
  expect(idsIn(' \n')).toBeUndefined();
});
it('names people so that a user and a visitor are never mistaken', () => {
  expect(personOf({ user_id: 'u1', anonymous_id: 'v1' })).toBe('u1');
  expect(personOf({ anonymous_id: 'v1' })).toBe('a:v1');
  expect(personOf({})).toBeUndefined();
  expect(personOfUser('a:trick')).toBe('u:a:trick');
});
it('calls people by the name that any SDK gave', () => {
  expect(nameOf({ $name: 'Ada' })).toBe('Ada');
  expect(nameOf({ firstName: 'Ada', last_name: 'Lovelace' })).toBe('Ada Lovelace');
  expect(titleOf('u1', { email: 'ada@example.com' })).toBe('ada@example.com');
  expect(titleOf('a:v1', {})).toBe('Visitor v1');
});
it('drops what an address of people says wrongly', () => {
  expect(parsePeople({ q: ' ', where: { op: 'x' }, columns: 'plan', x: 1 })).toEqual({});
  expect(parsePeople({ q: 5, columns: ['plan', 'plan', 3] })).toEqual({ q: '5', columns: ['plan'] });
  expect(parsePerson({ at: 'yesterday' })).toEqual({});
});
it('finds the session and the event of a moment', () => {
  const session = (...times: string[]) => ({ start: times[0]!, end: times.at(-1)!, events: times.length, touch: { ts: times[0]! }, timeline: times.map((ts) => ({ name: 'x', ts })) });
  const sessions = [session('2026-11-02T10:00:00Z', '2026-11-02T10:05:00Z'), session('2026-11-01T10:00:00Z')];
  expect(sessionAt(sessions, '2026-11-02T10:05:00Z')).toBe(sessions[0]);
  expect(sessionAt(sessions, '2026-11-02T09:00:00Z')).toBe(sessions[1]);
  expect(sessionAt(sessions, '2026-10-01T00:00:00Z')).toBeUndefined();
  expect(eventAt(sessions[0]!, '2026-11-02T10:05:00.000Z')).toBe(1);
  expect(eventAt(sessions[0]!, '2026-11-02T10:04:00Z')).toBe(0);
});
