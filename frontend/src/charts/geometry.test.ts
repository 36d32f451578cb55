import { expect, it } from 'vitest';
import { clockTicks, drawn, indexAt, layersOf, peaks, xScale, xTicks, yScale, yTicks } from './geometry';

const frame = { width: 460, height: 300, left: 50, right: 10, top: 10, bottom: 30 };

it('finds under the pointer the bucket that is drawn there', () => {
  const x = xScale(8, frame);
  for (let i = 0; i < 8; i++) expect(indexAt(x.at(i), 8, frame)).toBe(i);
  expect(indexAt(-100, 8, frame)).toBe(0);
  expect(indexAt(9999, 8, frame)).toBe(7);
});
it('begins at zero and holds every value, missing ones aside', () => {
  const y = yScale([[5, null, 80]], 300, frame);
  expect(y(0)).toBe(270);
  expect(y(80)).toBeGreaterThanOrEqual(10);
  expect(yScale([[null, null]], 300, frame).domain()[1]).toBeGreaterThan(0);
  expect(yScale([[-4, 2]], 300, frame).domain()[0]).toBeLessThanOrEqual(-4);
});
it('has a place for numbers as far apart as there are', () => {
  const y = yScale([[1e308, -1e308, 0]], 300, frame);
  expect([y(1e308), y(0), y(-1e308)]).toEqual([10, 140, 270]);
});
it('has no half events on the axis', () => {
  expect(yTicks(yScale([[1, 2]], 300, frame), true)).toEqual([0, 1, 2]);
});
it('labels as many buckets as fit, and always the last', () => {
  const ticks = xTicks(90, frame);
  expect(ticks.at(-1)).toBe(89);
  expect(ticks.length).toBeLessThanOrEqual(6);
});
it('stacks series upon each other, with nothing measured as no height', () => {
  expect(layersOf([{ key: 'a', values: [1, null] }, { key: 'b', values: [2, 3] }], 2).map((l) => l.spans)).toEqual([[[0, 1], [0, 0]], [[1, 3], [0, 3]]]);
});
it('keeps a zero on top of what it is stacked upon', () => {
  expect(layersOf([{ key: 'a', values: [5] }, { key: 'b', values: [0] }], 1).map((l) => l.spans[0])).toEqual([[0, 5], [5, 5]]);
});
it('stacks what is below zero downwards', () => {
  expect(layersOf([{ key: 'a', values: [2] }, { key: 'b', values: [-3] }, { key: 'c', values: [1] }], 1).map((l) => l.spans[0])).toEqual([[0, 2], [-3, 0], [2, 3]]);
});
it('labels hours where a clock would, once in the hour that autumn repeats', () => {
  // Berlin, 2026-10-25: after 02:59 summer time comes 02:00 winter time.
  const hours = Array.from({ length: 25 }, (_, i) => (i < 3 ? `2026-10-25T0${i}:00:00+02:00` : `2026-10-25T${String(i - 1).padStart(2, '0')}:00:00+01:00`));
  expect(clockTicks(hours, frame).map((i) => hours[i]!.slice(11, 16))).toEqual(['00:00', '06:00', '12:00', '18:00']);
  const minutes = Array.from({ length: 10_000 }, (_, i) => new Date(Date.parse('2026-11-01T07:20:00Z') + i * 60_000).toISOString());
  expect(clockTicks(minutes, frame).every((i) => minutes[i]!.slice(11, 16) === '00:00')).toBe(true);
});
it('leaves out of many points only what would be drawn over', () => {
  const values = Array.from({ length: 10_000 }, (_, i) => (i === 4321 ? 99 : i === 8765 ? -7 : i % 10));
  const kept = drawn([values], 10_000, 800)!;
  expect(kept.length).toBeLessThanOrEqual(4 * 800);
  expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b));
  for (const i of [0, 4321, 8765, 9999]) expect(kept).toContain(i);
  expect(drawn([values.slice(0, 1000)], 1000, 800)).toBeUndefined();
  expect(peaks([{ key: 'a', spans: values.map((v): [number, number] => [0, v]) }], 10_000, 800)).toEqual(expect.arrayContaining([4321]));
});
