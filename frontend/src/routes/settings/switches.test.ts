import { expect, it } from 'vitest';
import { stateOf, switched } from './switches';

it('tells what a project has switched off from what the server does not speak', () => {
  const project = { dialects: ['segment' as const], dialects_off: ['mixpanel' as const] };
  expect((['segment', 'mixpanel', 'umami'] as const).map((one) => stateOf(project, one))).toEqual(['on', 'off', 'not spoken']);
});
it('switches one and leaves the others', () => {
  expect(switched(['mixpanel', 'umami'], 'segment', false)).toEqual(['mixpanel', 'umami', 'segment']);
  expect(switched(['mixpanel', 'umami'], 'umami', false)).toEqual(['mixpanel', 'umami']);
  expect(switched(['mixpanel', 'umami'], 'mixpanel', true)).toEqual(['umami']);
});
