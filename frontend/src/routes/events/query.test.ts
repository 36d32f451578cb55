import { expect, it } from 'vitest';
import { rowsOf } from './exporting';
import { propOf, queryOf } from './query';
import { parseEvents } from './search';

it('asks for a property that has a value', () => {
  expect(['plan=pro', ' size = 5 ', 'a=b=c', 'note=""'].map(propOf)).toEqual([{ plan: 'pro' }, { size: 5 }, { a: 'b=c' }, { note: '' }]);
  expect(['plan', 'plan=', '=pro'].map(propOf)).toEqual([undefined, undefined, undefined]);
  expect(queryOf({ from: 'a', to: 'b', prop: ['plan=pro', 'size=5', 'nothing'] }, 'p', 0)).toEqual({ project_id: 'p', limit: 100, since: 'a', until: 'b', props: '{"plan":"pro","size":5}' });
});
it('takes one property from an old link and several from a new one', () => {
  expect(parseEvents({ prop: 'plan=pro' })).toEqual({ range: '30d', prop: ['plan=pro'] });
  expect(parseEvents({ prop: ['plan=pro', 'size=5', 'plan=pro', {}] }).prop).toEqual(['plan=pro', 'size=5']);
});
it('gives every property a column of its own', () => {
  const event = (id: string, props: Record<string, unknown>) => ({ id, project_id: 'p', name: 'x', ts: 't', received_at: 'r', props, ...(id === 'a' && { user_id: 'u' }) });
  expect(rowsOf([event('a', { plan: 'pro', cart: { items: [1] } }), event('b', { size: 5 })])).toEqual([
    ['ts', 'name', 'user_id', 'anonymous_id', 'id', 'received_at', 'props.cart', 'props.plan', 'props.size'],
    ['t', 'x', 'u', null, 'a', 'r', '{"items":[1]}', 'pro', null],
    ['t', 'x', null, null, 'b', 'r', null, null, 5],
  ]);
});
