import { expect, it } from 'vitest';
import { indexAt, layersOf, xScale, xTicks, yScale, yTicks } from './geometry';

const frame = { width: 460, height: 300, left: 50, right: 10, top: 10, bottom: 30 };

it('finds under the pointer the bucket that is drawn there', () => {
  const x = xScale(8, frame);
  for (let i = 0; i < 8; i++) expect(indexAt(x.at(i), 8, frame)).toBe(i);
  expect(indexAt(-100, 8, frame)).toBe(0);
  expect(indexAt(9999, 8, frame)).toBe(7);
});
it('begins at zero and holds every value, missing ones aside', () => {
  const y = yScale([[5, null, 80]], frame);
  expect(y(0)).toBe(270);
  expect(y(80)).toBeGreaterThanOrEqual(10);
  expect(yScale([[null, null]], frame).domain()[1]).toBeGreaterThan(0);
  expect(yScale([[-4, 2]], frame).domain()[0]).toBeLessThanOrEqual(-4);
});
it('has no half events on the axis', () => {
  expect(yTicks(yScale([[1, 2]], frame), true)).toEqual([0, 1, 2]);
});
it('labels as many buckets as fit, and always the last', () => {
  const ticks = xTicks(90, frame);
  expect(ticks.at(-1)).toBe(89);
  expect(ticks.length).toBeLessThanOrEqual(6);
});
it('stacks series upon each other, with nothing measured as no height', () => {
  expect(layersOf([{ key: 'a', values: [1, null] }, { key: 'b', values: [2, 3] }], 2).map((l) => l.spans)).toEqual([[[0, 1], [0, 0]], [[1, 3], [0, 3]]]);
});
