/** Paths as a Sankey diagram, whose nodes are buttons that the arrow keys go through. On a phone it scrolls sideways. */
import type { PathsAnswer } from '@nimbus-analytics/sdk';
import { useMemo, useRef, useState, type KeyboardEvent } from 'react';
import { useWidth } from '../../charts/useWidth';
import { number, percent } from '../../format';
import { w } from '../messages';
import { valueText } from '../text';
import { flowOf, through, type Node } from './flow';
import { Mark } from './Mark';

const box = { node: 12, gap: 26 };
const [top, bottom, column] = [30, 8, 150];

interface Props {
  label: string;
  answer: PathsAnswer;
  says: (node: Node) => string;
  stepName: (step: number) => string;
  onOpen: (node: Node) => void;
}

export function Sankey({ label, answer, says, stepName, onOpen }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const room = useWidth(place);
  const [lit, setLit] = useState<string>();
  const steps = answer.steps.length;
  const width = Math.max(room, column * steps);
  const tallest = Math.max(...answer.steps.map((s) => s.nodes.length + (s.other > 0 ? 1 : 0)));
  const height = Math.max(220, 44 * tallest);
  // The last step's names need a column of their own.
  const { nodes, links } = useMemo(() => flowOf(answer, { width: width - column + 20, height, ...box }), [answer, width, height]);
  const tall = Math.max(...nodes.map((n) => n.y + Math.max(30, n.height)));
  const shown = lit === undefined ? undefined : through(links, lit);
  const dim = (key: string) => (shown && !shown.has(key) ? 'dim' : '');

  const onKeyDown = (e: KeyboardEvent) => {
    const key = (e.target as Element).getAttribute('data-mark');
    const at = nodes.find((n) => n.key === key);
    if (!at) return;
    const next = nextOf(nodes, at, e.key, answer.backwards);
    if (!next) return;
    e.preventDefault();
    place.current?.querySelector<SVGGElement>(`[data-mark=${CSS.escape(next.key)}]`)?.focus();
  };
  return (
    <figure className="chart">
      <div ref={place} className="scroll-x plot marks" role="group" aria-label={`${label}. ${w.paths.help}`} onKeyDown={onKeyDown}>
        {room > 0 && (
          <svg width={width} height={tall + top + bottom}>
            <g transform={`translate(0 ${top})`}>
              {links.map((link) => (
                <path key={link.key} className={`flow ${dim(link.key)}`} strokeWidth={link.width} d={`M${link.x0},${link.y0}C${(link.x0 + link.x1) / 2},${link.y0} ${(link.x0 + link.x1) / 2},${link.y1} ${link.x1},${link.y1}`} />
              ))}
              {nodes.map((n) => (
                <Mark key={n.key} data-mark={n.key} label={w.open(number(n.count), says(n))} className={dim(n.key)} onOpen={() => onOpen(n)} onPointerEnter={() => setLit(n.key)} onPointerLeave={() => setLit(undefined)} onFocus={() => setLit(n.key)} onBlur={() => setLit(undefined)}>
                  <rect className="hit" x={n.x} y={n.y - 4} width={column - 30} height={Math.max(34, n.height + 4)} />
                  <rect className={n.value === undefined ? 'others' : 'reached'} x={n.x} y={n.y} width={box.node} height={n.height} rx={2} />
                  {n.dropOff > 0 && <rect className="left" x={n.x} y={n.y + n.height * (1 - n.dropOff / n.count)} width={box.node} height={(n.height * n.dropOff) / n.count} />}
                </Mark>
              ))}
            </g>
            {nodes.map((n) => (
              <g key={n.key} className={dim(n.key)} aria-hidden>
                <text className="tick strong" x={n.x + box.node + 6} y={top + n.y + 11} textAnchor="start">{short(n.value === undefined ? w.paths.other : valueText(n.value))}</text>
                <text className="tick" x={n.x + box.node + 6} y={top + n.y + 26} textAnchor="start">{`${number(n.count)} · ${percent(n.count / Math.max(1, answer.paths))}`}</text>
              </g>
            ))}
            {answer.steps.map((s) => {
              const x = nodes.find((n) => n.step === s.step)?.x;
              return x === undefined ? null : <text key={s.step} className="tick" x={x} y={14} textAnchor="start">{stepName(s.step)}</text>;
            })}
          </svg>
        )}
      </div>
    </figure>
  );
}

const short = (text: string) => (text.length > 17 ? `${text.slice(0, 16)}…` : text);

/** The node that an arrow leads to: the one above or below, or the closest of the step beside it. */
function nextOf(nodes: readonly Node[], at: Node, key: string, backwards: boolean): Node | undefined {
  const same = nodes.filter((n) => n.step === at.step);
  if (key === 'ArrowDown') return same[same.indexOf(at) + 1];
  if (key === 'ArrowUp') return same[same.indexOf(at) - 1];
  const way = { ArrowRight: 1, ArrowLeft: -1 }[key];
  if (way === undefined) return undefined;
  const beside = nodes.filter((n) => n.step === at.step + (backwards ? -way : way));
  return beside.toSorted((a, b) => Math.abs(a.y - at.y) - Math.abs(b.y - at.y))[0];
}
