/** Where the nodes and links of paths are drawn: pure functions of the answer and the size. */
import type { GroupValue, PathsAnswer } from '@nimbus-analytics/sdk';

export interface Node {
  key: string;
  step: number;
  /** The node's value; undefined for the others of a step. */
  value: GroupValue | undefined;
  count: number;
  dropOff: number;
  x: number;
  y: number;
  height: number;
}
export interface Link {
  key: string;
  from: string;
  to: string;
  count: number;
  /** The middles of its two ends, and how thick it is. */
  x0: number;
  y0: number;
  x1: number;
  y1: number;
  width: number;
}

export interface Size {
  width: number;
  height: number;
  /** How wide a node is drawn, and how far apart nodes are above one another. */
  node: number;
  gap: number;
}

const keyOf = (step: number, value: GroupValue | undefined) => `${step} ${value === undefined ? 'other' : JSON.stringify(value)}`;

/** A Sankey diagram: steps from left to right, or from right to left where paths are read backwards, the largest node of a step on top. */
export function flowOf(answer: Pick<PathsAnswer, 'steps' | 'links' | 'backwards'>, { width, height, node, gap }: Size): { nodes: Node[]; links: Link[] } {
  const columns = answer.steps.map((s) => [...s.nodes.map((n) => ({ value: n.node as GroupValue | undefined, count: n.count, dropOff: n.drop_off })), ...(s.other > 0 ? [{ value: undefined, count: s.other, dropOff: 0 }] : [])]);
  const most = Math.max(1, ...columns.map((c) => c.reduce((sum, n) => sum + n.count, 0)));
  const tallest = Math.max(1, ...columns.map((c) => c.length));
  const scale = Math.max(0.000_001, (height - gap * (tallest - 1)) / most);
  const apart = columns.length > 1 ? (width - node) / (columns.length - 1) : 0;
  const nodes = columns.flatMap((column, i) => {
    let y = 0;
    return column.map((n): Node => {
      const placed = { key: keyOf(i + 1, n.value), step: i + 1, ...n, x: apart * (answer.backwards ? columns.length - 1 - i : i), y, height: Math.max(2, n.count * scale) };
      y += placed.height + gap;
      return placed;
    });
  });
  const byKey = new Map(nodes.map((n) => [n.key, n]));
  const used = new Map<string, number>(); // how much of a node's side has links already
  const take = (side: string, thick: number) => {
    const at = used.get(side) ?? 0;
    used.set(side, at + thick);
    return at + thick / 2;
  };
  const links = answer.links.flatMap((link): Link[] => {
    const [from, to] = [byKey.get(keyOf(link.step, link.from)), byKey.get(keyOf(link.step + 1, link.to))];
    if (!from || !to) return [];
    const thick = link.count * scale;
    const [out, into] = answer.backwards ? [from.x, to.x + node] : [from.x + node, to.x];
    return [{ key: `${from.key} ${to.key}`, from: from.key, to: to.key, count: link.count, x0: out, y0: from.y + take(`${from.key} out`, thick), x1: into, y1: to.y + take(`${to.key} in`, thick), width: Math.max(1, thick) }];
  });
  return { nodes, links };
}

/** The nodes and links that are on a way through a node, before it and after it. */
export function through(links: readonly Link[], key: string): Set<string> {
  const lit = new Set([key]);
  const follow = (at: string, end: 'from' | 'to', other: 'from' | 'to') => {
    for (const link of links) {
      if (link[end] !== at || lit.has(link.key)) continue;
      lit.add(link.key).add(link[other]);
      follow(link[other], end, other);
    }
  };
  follow(key, 'from', 'to');
  follow(key, 'to', 'from');
  return lit;
}
