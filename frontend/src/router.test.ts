import { createMemoryHistory } from '@tanstack/react-router';
import { expect, it } from 'vitest';
import { misread } from './lib/misread';
import { router } from './router';

/** What the page at an address is given of it. */
function searchOf(address: string) {
  router.update({ ...router.options, history: createMemoryHistory({ initialEntries: [address] }) });
  return router.matchRoutes(router.latestLocation).at(-1)!.search;
}
const tz = expect.any(String) as string; // the reader's

it.each([
  ['explore?names=page_view', { range: '30d', tz }],
  ['explore?measure=bogus&filter=abc&top=700&chart=pie&by=page&x=1', { range: '30d', tz }],
  ['explore?range=7d&from=2026-11-01T00:00:00Z&to=2026-11-02T00:00:00Z', { from: '2026-11-01T00:00:00Z', to: '2026-11-02T00:00:00Z', tz }],
  ['events?name=%5B1%5D&range=banana', { range: '30d' }],
  ['live?name=5', {}],
  ['audit?entry=xyz', { range: '30d' }],
  ['boards/x?edit=1', {}],
  ['?range=banana', { range: '7d' }],
])('gives a page nothing that it does not understand: %s', (address, search) => {
  expect(searchOf(`/projects/p/${address}`)).toEqual(search);
});
it.each([
  ['explore?from=2026-11-01&to=2026-11-10', ['from', 'to']],
  ['explore?measure=bogus&top=10&chart=line&compare=false&x=1', ['measure', 'x']],
  ['explore?range=7d&from=2026-11-01T00:00:00Z&to=2026-11-02T00:00:00Z', []],
  ['explore?names=%5B%22a%22%5D&range=7d&tz=UTC', []],
  ['events?range=banana&prop=plan%3Dpro', ['range']],
  ['explore?tz=Mars', ['tz']],
])('names the parts of a link that a page did not understand: %s', (address, parts) => {
  const understood = searchOf(`/projects/p/${address}`);
  expect(misread(router.latestLocation.search, understood)).toEqual(parts);
});
it('leads to no other site after the login', () => {
  for (const next of ['//evil.example', 'https://evil.example/x', '/%5Cevil.example']) expect(searchOf(`/login?next=${next}`)).toEqual({});
  expect(searchOf('/login?next=/account&error=oidc_denied')).toEqual({ next: '/account', error: 'oidc_denied' });
});
