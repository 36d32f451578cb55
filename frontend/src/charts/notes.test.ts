import { expect, it } from 'vitest';
import { placed } from './notes';

const note = (id: string, ts: string, until = ts) => ({ id, ts: `2026-11-${ts}Z`, until: `2026-11-${until}Z`, text: id });
const days = ['2026-11-10T00:00:00Z', '2026-11-11T00:00:00Z', '2026-11-12T00:00:00Z'];

it('stands at the bucket in which it happened, from its first to its last', () => {
  const notes = [note('last', '12T23:00:00'), note('long', '09T00:00:00', '11T08:00:00'), note('before', '09T23:59:00'), note('after', '13T00:00:00'), note('noon', '11T12:00:00')];
  expect(placed(notes, days).map((n) => [n.id, n.from, n.to])).toEqual([['long', 0, 1], ['noon', 1, 1], ['last', 2, 2]]);
  expect(placed(notes, [])).toEqual([]);
});
