import { expect, test } from 'vitest';
import { parseAudit } from './search';

test('an address keeps the filters it understands, and no others', () => {
  const actor = '019bc0de-7f00-7000-8000-000000000001';
  expect(parseAudit({ action: 'member.add', actor, range: '7d', cursor: 'x' })).toEqual({ action: 'member.add', actor, range: '7d' });
  expect(parseAudit({ action: 'DROP TABLE', actor: 'a b', range: 'ever' })).toEqual({ range: '30d' });
});
