/** Where the tiles of a board lie on its grid. No two overlap, and each is as far up as it can be. */
import type { BoardTile } from '@nimbus-analytics/sdk';

export const columns = 12;

type Size = Pick<BoardTile, 'w' | 'h'>;

const overlap = (a: BoardTile, b: BoardTile) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
const free = (tile: BoardTile, others: readonly BoardTile[]) => !others.some((o) => overlap(tile, o));
const inOrder = (tiles: readonly BoardTile[]) => [...tiles].sort((a, b) => a.y - b.y || a.x - b.x);

/** Where a tile has room: as far up as possible, in its column; not above `from`. */
function settled(tile: BoardTile, others: readonly BoardTile[], from = 0): BoardTile {
  for (let y = from; ; y++) if (free({ ...tile, y }, others)) return { ...tile, y };
}

/** Each tile as far up as it can be without passing one that is above it. */
function compact(tiles: readonly BoardTile[]): BoardTile[] {
  const out: BoardTile[] = [];
  for (const tile of inOrder(tiles)) {
    const above = out.filter((o) => o.x < tile.x + tile.w && tile.x < o.x + o.w);
    out.push(settled(tile, out, Math.max(0, ...above.map((o) => o.y + o.h))));
  }
  return inOrder(out);
}

/** The tiles and one more, at the first place with room for it, wherever it says that it is. */
export function added(tiles: readonly BoardTile[], tile: BoardTile): BoardTile[] {
  for (let y = 0; ; y++)
    for (let x = 0; x + tile.w <= columns; x++) {
      const there = { ...tile, x, y };
      if (free(there, tiles)) return compact([...tiles, there]);
    }
}

export const removed = (tiles: readonly BoardTile[], at: number) => compact(tiles.filter((_, i) => i !== at));

/** The tiles with another size of one of them; those that are in its way go down. */
export function resized(tiles: readonly BoardTile[], at: number, size: Partial<Size>): BoardTile[] {
  const old = tiles[at]!;
  const tile = { ...old, ...size };
  tile.x = Math.min(tile.x, columns - tile.w);
  const out = [tile];
  for (const other of tiles) if (other !== old) out.push(settled(other, out, other.y));
  return compact(out);
}

/** The tiles with one of them at another place in their order, laid anew in rows. */
export function moved(tiles: readonly BoardTile[], from: number, to: number): BoardTile[] {
  const rest = tiles.filter((_, i) => i !== from);
  const out: BoardTile[] = [];
  let [x, y, bottom] = [0, 0, 0];
  for (const tile of [...rest.slice(0, to), tiles[from]!, ...rest.slice(to)]) {
    if (x + tile.w > columns) [x, y] = [0, bottom];
    out.push({ ...tile, x, y });
    x += tile.w;
    bottom = Math.max(bottom, y + tile.h);
  }
  return out;
}

/** What a tile holds, for a key of React: an insight by its id, text by itself. */
export const keyOf = (tile: BoardTile, at: number) => (tile.kind === 'insight' ? `${tile.insight_id} ${at}` : `text ${at}`);
