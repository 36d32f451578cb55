import { expect, it } from 'vitest';
import { moved } from './tiles';

it('moves a tile and keeps the order of the others', () => {
  const tiles = ['a', 'b', 'c', 'd'].map((report_id) => ({ report_id, width: 'half' as const }));
  const order = (from: number, to: number) => moved(tiles, from, to).map((t) => t.report_id).join('');
  expect([order(0, 1), order(3, 0), order(0, 3), order(2, 2)]).toEqual(['bacd', 'dabc', 'bcda', 'abcd']);
});
