import { expect, it } from 'vitest';
import { csv } from './download';

it('writes CSV that no spreadsheet takes for a formula', () => {
  expect(csv([['a,b', 'say "x"', '=1+1', -5, null]])).toBe('"a,b","say ""x""",\'=1+1,-5,\r\n');
});
