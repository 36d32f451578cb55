import type { BoardTile } from '@nimbus-analytics/sdk';
import { expect, it } from 'vitest';
import { added, moved, removed, resized } from './tiles';

const tile = (text: string, x: number, y: number, w: number, h: number): BoardTile => ({ kind: 'text', text, x, y, w, h });
const lies = (tiles: readonly BoardTile[]) => tiles.map((t) => `${t.kind === 'text' ? t.text : ''}${t.x},${t.y} ${t.w}x${t.h}`).join(' ');
const text = (name: string, w: number, h: number) => tile(name, 0, 0, w, h);

it('adds a tile where there is room first', () => {
  let tiles: BoardTile[] = [];
  for (const t of [text('a', 6, 4), text('b', 6, 4), text('c', 12, 2), text('d', 4, 4)]) tiles = added(tiles, t);
  expect(lies(tiles)).toBe('a0,0 6x4 b6,0 6x4 c0,4 12x2 d0,6 4x4');
  expect(lies(added([tile('a', 0, 0, 3, 4), tile('b', 9, 0, 3, 4)], text('c', 6, 2)))).toBe('a0,0 3x4 c3,0 6x2 b9,0 3x4');
});

it('closes the gap of a tile that goes', () => {
  const tiles = [tile('a', 0, 0, 12, 4), tile('b', 0, 4, 6, 4), tile('c', 6, 4, 6, 2), tile('d', 6, 6, 6, 2)];
  expect(lies(removed(tiles, 0))).toBe('b0,0 6x4 c6,0 6x2 d6,2 6x2');
  expect(lies(removed(tiles, 2))).toBe('a0,0 12x4 b0,4 6x4 d6,4 6x2');
});

it('moves what is in the way of a tile that grows', () => {
  const tiles = [tile('a', 0, 0, 6, 4), tile('b', 6, 0, 6, 4), tile('c', 0, 4, 6, 4)];
  expect(lies(resized(tiles, 0, { w: 12 }))).toBe('a0,0 12x4 c0,4 6x4 b6,4 6x4');
  expect(lies(resized(tiles, 1, { w: 12 }))).toBe('b0,0 12x4 a0,4 6x4 c0,8 6x4');
  expect(lies(resized(tiles, 0, { h: 6 }))).toBe('a0,0 6x6 b6,0 6x4 c0,6 6x4');
  expect(lies(resized(tiles, 0, { h: 2 }))).toBe('a0,0 6x2 b6,0 6x4 c0,2 6x4');
});

it('moves a tile and keeps the order of the others, row by row', () => {
  const tiles = [tile('a', 0, 0, 6, 4), tile('b', 6, 0, 6, 4), tile('c', 0, 4, 12, 2), tile('d', 0, 6, 6, 4)];
  const order = (from: number, to: number) => moved(tiles, from, to).map((t) => (t.kind === 'text' ? t.text : '')).join('');
  expect([order(0, 1), order(3, 0), order(0, 3), order(2, 2)]).toEqual(['bacd', 'dabc', 'bcda', 'abcd']);
  expect(lies(moved(tiles, 3, 0))).toBe('d0,0 6x4 a6,0 6x4 b0,4 6x4 c0,8 12x2');
});
