import { expect, it } from 'vitest';
import { lines } from './picture';

it('shows the conditions at the end of a long title, on lines of their own', () => {
  const context = { measureText: (text: string) => ({ width: text.length }) as TextMetrics };
  expect(lines(context, 'Sum of amount of purchased where device is mobile', 20, 4)).toEqual(['Sum of amount of', 'purchased where', 'device is mobile']);
  expect(lines(context, 'a bb ccc dddd eeeee', 4, 2)).toEqual(['a bb', 'ccc…']);
});
