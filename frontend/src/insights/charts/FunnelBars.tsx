/** The steps of a funnel: as columns, or as rows where there is no room for columns. */
import type { FunnelAnswer } from '@nimbus-analytics/sdk';
import { useRef } from 'react';
import { useWidth } from '../../charts/useWidth';
import { number, percent } from '../../format';
import { w } from '../messages';
import { took } from '../text';
import { Mark } from './Mark';

interface Props {
  label: string;
  names: readonly string[];
  answer: Pick<FunnelAnswer, 'counts' | 'step_times'>;
  counted: 'users' | 'sessions' | 'totals';
  /** The required step before each, from 0; -1 for the first. */
  before: readonly number[];
  onOpen: (step: number, lost: boolean) => void;
}

const least = 128; // the width of a column with a name under it
const height = 300;

/** As much of a text as some width holds. */
const cut = (text: string, width: number) => (text.length * 6.6 <= width ? text : `${text.slice(0, Math.max(3, Math.floor(width / 6.6) - 1))}…`);

export function FunnelBars(props: Props) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  return (
    <figure className="chart" aria-label={props.label}>
      <div ref={box} className="plot marks">{width > 0 && (width / props.names.length >= least ? <Columns {...props} width={width} /> : <Rows {...props} width={width} />)}</div>
    </figure>
  );
}

/** What is said of a step: how many reached it, what share, and how many were lost on the way to it. */
function stepsOf({ names, answer, counted, before, onOpen }: Props) {
  const first = answer.counts[0] ?? 0;
  const say = w.counted[counted];
  return names.map((name, i) => {
    const count = answer.counts[i] ?? 0;
    const from = before[i]!;
    const lost = from < 0 ? 0 : (answer.counts[from] ?? 0) - count;
    const time = answer.step_times[i];
    return {
      name, count, lost,
      share: first > 0 ? count / first : 0,
      lostShare: first > 0 ? lost / first : 0,
      time: i > 0 && time ? w.funnel.time(took(time.median)) : '',
      says: w.open(say(count, number(count)), w.funnel.reachedStep(name)),
      lostSays: from < 0 ? '' : w.open(say(lost, number(lost)), w.funnel.lostAfter(names[from]!, name)),
      open: count > 0 ? () => onOpen(i + 1, false) : undefined,
      openLost: lost > 0 ? () => onOpen(i + 1, true) : undefined,
    };
  });
}

function Columns({ width, ...props }: Props & { width: number }) {
  const steps = stepsOf(props);
  const step = width / steps.length;
  const bar = Math.min(160, step * 0.72);
  const [top, bottom] = [46, 46];
  const tall = height - top - bottom;
  return (
    <svg width={width} height={height}>
      <line className="axis" x1={0} x2={width} y1={top + tall} y2={top + tall} />
      {steps.map((s, i) => {
        const x = step * i + (step - bar) / 2;
        const [full, lost] = [tall * s.share, tall * s.lostShare];
        const middle = x + bar / 2;
        return (
          <g key={i}>
            <Mark label={s.says} onOpen={s.open}><rect className="reached" x={x} y={top + tall - full} width={bar} height={full} rx={3} /></Mark>
            {lost > 0 && <Mark label={s.lostSays} onOpen={s.openLost}><rect className="lost" x={x + 0.5} y={top + tall - full - lost + 0.5} width={bar - 1} height={Math.max(1, lost - 1)} rx={3} /></Mark>}
            <text className="figure" x={middle} y={18} textAnchor="middle">{percent(s.share)}</text>
            <text className="tick" x={middle} y={36} textAnchor="middle">{cut([number(s.count), s.time].filter(Boolean).join(' · '), step - 6)}</text>
            <text className="tick strong" x={middle} y={height - 24} textAnchor="middle">{cut(`${i + 1} ${s.name}`, step - 10)}</text>
            {s.lost > 0 && <text className="tick" x={middle} y={height - 7} textAnchor="middle">{`−${number(s.lost)}`}</text>}
          </g>
        );
      })}
    </svg>
  );
}

function Rows({ width, ...props }: Props & { width: number }) {
  const steps = stepsOf(props);
  const row = 62;
  return (
    <svg width={width} height={row * steps.length}>
      {steps.map((s, i) => {
        const y = row * i;
        const [full, lost] = [width * s.share, width * s.lostShare];
        return (
          <g key={i}>
            <text className="tick strong" x={0} y={y + 16} textAnchor="start">{cut(`${i + 1} ${s.name}`, width - 110)}</text>
            <text className="tick" x={width} y={y + 16} textAnchor="end">{`${percent(s.share)} · ${number(s.count)}`}</text>
            <rect className="track" x={0} y={y + 24} width={width} height={24} rx={3} />
            <Mark label={s.says} onOpen={s.open}><rect className="reached" x={0} y={y + 24} width={full} height={24} rx={3} /></Mark>
            {lost > 0 && <Mark label={s.lostSays} onOpen={s.openLost}><rect className="lost" x={full + 0.5} y={y + 24.5} width={Math.max(1, lost - 1)} height={23} rx={3} /></Mark>}
          </g>
        );
      })}
    </svg>
  );
}
