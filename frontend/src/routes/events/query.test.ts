import { expect, it } from 'vitest';
import { propOf, queryOf } from './query';

it('asks for a property that has a value', () => {
  expect(['plan=pro', ' size = 5 ', 'a=b=c', 'note=""'].map(propOf)).toEqual([{ plan: 'pro' }, { size: 5 }, { a: 'b=c' }, { note: '' }]);
  expect(['plan', 'plan=', '=pro'].map(propOf)).toEqual([undefined, undefined, undefined]);
  expect(queryOf({ from: 'a', to: 'b', prop: 'plan=pro' }, 'p', 0)).toEqual({ project_id: 'p', limit: 100, since: 'a', until: 'b', props: '{"plan":"pro"}' });
});
