import { expect, test } from 'vitest';
import { instantOf, parseAudit } from './search';

test('an address keeps the filters it understands, and no others', () => {
  const actor = '019bc0de-7f00-7000-8000-000000000001';
  expect(parseAudit({ action: 'member.add', actor, range: '7d', cursor: 'x' })).toEqual({ action: 'member.add', actor, range: '7d' });
  expect(parseAudit({ action: 'DROP TABLE', actor: 'a b', range: 'ever' })).toEqual({ range: '30d' });
});

test('an entry is in the address with its time, or not at all', () => {
  const entry = '019bc0de-7f00-7000-8000-000000000001';
  const at = '2026-11-22T10:00:00.123456Z';
  expect(parseAudit({ range: '7d', entry, at })).toEqual({ range: '7d', entry, at });
  expect(parseAudit({ range: '7d', entry })).toEqual({ range: '7d' });
  expect(parseAudit({ range: '7d', entry, at: '2026-99-22T10:00:00Z' })).toEqual({ range: '7d' });
});

test('the instant of an entry has its microseconds in it', () => {
  expect(instantOf('2026-11-22T10:00:00.123456Z')).toEqual({ since: '2026-11-22T10:00:00.123456Z', until: '2026-11-22T10:00:00.124Z' });
  expect(instantOf('2026-11-22T11:00:00.9999+01:00').until).toBe('2026-11-22T10:00:01.000Z');
});
