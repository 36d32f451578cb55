import type { BoardTile } from '@nimbus-analytics/sdk';

/** The tiles with one of them moved. */
export function moved(tiles: readonly BoardTile[], from: number, to: number): BoardTile[] {
  const rest = tiles.filter((_, i) => i !== from);
  return [...rest.slice(0, to), tiles[from]!, ...rest.slice(to)];
}
