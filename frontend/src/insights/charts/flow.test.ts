import { expect, it } from 'vitest';
import { flowOf, through } from './flow';

const size = { width: 210, height: 110, node: 10, gap: 10 };
const answer = {
  backwards: false,
  steps: [
    { step: 1, nodes: [{ node: 'a', count: 10, drop_off: 3 }], other: 0 },
    { step: 2, nodes: [{ node: 'b', count: 4, drop_off: 1 }, { node: 'c', count: 2, drop_off: 2 }], other: 1 },
    { step: 3, nodes: [{ node: 'a', count: 3, drop_off: 0 }], other: 0 },
  ],
  links: [{ step: 1, from: 'a', to: 'b', count: 4 }, { step: 1, from: 'a', to: 'c', count: 2 }, { step: 2, from: 'b', to: 'a', count: 3 }, { step: 2, from: 'z', to: 'a', count: 1 }],
};

it('draws a node as high as it has paths, under one another, with the others last', () => {
  const { nodes } = flowOf(answer, size);
  expect(nodes.map((n) => [n.step, n.value, n.x, n.y, n.height])).toEqual([[1, 'a', 0, 0, 90], [2, 'b', 100, 0, 36], [2, 'c', 100, 46, 18], [2, undefined, 100, 74, 9], [3, 'a', 200, 0, 27]]);
});
it('leads links from side to side, beside one another, and none to what is not shown', () => {
  const { links } = flowOf(answer, size);
  expect(links.map((l) => [l.x0, l.y0, l.x1, l.y1, l.width])).toEqual([[10, 18, 100, 18, 36], [10, 45, 100, 55, 18], [110, 13.5, 200, 13.5, 27]]);
});
it('begins at the right where paths are read backwards', () => {
  const { nodes, links } = flowOf({ ...answer, backwards: true }, size);
  expect(nodes.map((n) => n.x)).toEqual([200, 100, 100, 100, 0]);
  expect([links[0]!.x0, links[0]!.x1]).toEqual([200, 110]);
});
it('lights the ways through a node, before it and after it', () => {
  const { links } = flowOf(answer, size);
  expect([...through(links, '2 "b"')].filter((key) => !key.includes('" '))).toEqual(['2 "b"', '3 "a"', '1 "a"']);
});
