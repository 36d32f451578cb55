import type { Coordinate, RetentionAnswer, RetentionAverage, RetentionRow } from '@nimbus-analytics/sdk';
import { useMemo, type CSSProperties } from 'react';
import type { Series } from '../charts/series';
import { TimeChart } from '../charts/TimeChart';
import { bucketLabel, number, percent } from '../format';
import { Button } from '../ui';
import { RetentionQuestion } from './ask/RetentionQuestion';
import { behaviourOf } from './Behaviour';
import { periodOf } from './body';
import { groupOf, partsOf, usePart, type Part } from './groups';
import type { AnswerProps, Cells } from './kind';
import { w } from './messages';
import type { RetentionState } from './state';
import { stepText } from './text';

type Drawn = Pick<RetentionAnswer, 'rows' | 'average'>;

const ratio = (v: number | null | undefined) => (v === null || v === undefined ? '–' : percent(v));
const shareOf = ({ retained, size }: RetentionAverage) => (size > 0 ? retained / size : null);
const nth = (state: RetentionState, n: number) => w.retention.n(w.period[periodOf(state)], n);

const curves = (parts: readonly Part<Drawn>[]) => parts.map((p, i): Series => ({ key: p.key, label: p.label, color: p.key === 'other' ? 'other' : i, total: null, values: p.of.average.map(shareOf) }));

function Answer({ state, answer, title, open, tile }: AnswerProps<RetentionState, RetentionAnswer>) {
  const parts = useMemo(() => partsOf<Drawn>(answer), [answer]);
  const [part, choice] = usePart(parts, w.retention.of);
  const series = useMemo(() => curves(parts), [parts]);
  const first = answer.average[1] && shareOf(answer.average[1]);
  const ofPeriod = (n: string) => nth(state, Number(n));
  return (
    <>
      <div className="big">
        <span className="num">{ratio(first)}</span>
        <span className="muted small">{w.retention.cameBack(nth(state, 1))}</span>
      </div>
      <TimeChart label={title} buckets={answer.average.map((_, n) => String(n))} series={series} kind="line" additive={false} height={tile ?? 240} formatBucket={ofPeriod} formatBucketLong={ofPeriod} formatValue={ratio} />
      {!tile && choice}
      {!tile && <Triangle state={state} part={part.of} open={(at) => open({ ...part.at, ...at })} />}
      {!tile && part.of.rows.some((row) => row.complete < row.values.length) && <p className="small muted">{w.unfinishedHelp}</p>}
    </>
  );
}

function Triangle({ state, part, open }: { state: RetentionState; part: Drawn; open: (at: Coordinate) => void }) {
  const label = bucketLabel(periodOf(state), state.tz, true);
  return (
    <div className="scroll-x" tabIndex={0} role="group" aria-label={w.table}>
      <table className="table compact triangle">
        <thead>
          <tr>
            <th>{w.retention.cohort}</th>
            <th className="right">{w.retention.size}</th>
            {part.average.slice(1).map((_, i) => (
              <th key={i} className="right">{nth(state, i + 1)}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          <tr className="average">
            <th scope="row">{w.retention.average}</th>
            <td />
            {part.average.slice(1).map((a, i) => (
              <td key={i} className="right" title={a.size > 0 ? w.retention.pair(number(a.retained), number(a.size)) : ''}>{ratio(shareOf(a))}</td>
            ))}
          </tr>
          {part.rows.map((row, r) => (
            <tr key={row.start}>
              <th scope="row" className="nowrap">{label(row.start)}</th>
              <td className="right">{row.size === 0 ? number(0) : <button type="button" className="cell" aria-label={w.open(number(row.size), w.retention.began(label(row.start)))} onClick={() => open({ row: r, period: 0 })}>{number(row.size)}</button>}</td>
              {row.values.slice(1).map((value, i) => (
                <Cell key={i} row={row} value={value} n={i + 1} says={w.retention.cell(label(row.start), nth(state, i + 1))} open={() => open({ row: r, period: i + 1 })} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** A cell is darker the more came back, hatched while it is not over, and empty before it has begun. */
function Cell({ row, value, n, says, open }: { row: RetentionRow; value: number; n: number; says: string; open: () => void }) {
  if (row.size === 0 || (value === 0 && n > row.complete)) return <td />;
  const share = value / row.size;
  return (
    <td className={`right heat ${n >= row.complete ? 'running' : ''}`} style={{ '--share': `${Math.round(share * 55)}%` } as CSSProperties}>
      <button type="button" className="cell" title={w.retention.pair(number(value), number(row.size))} aria-label={`${w.open(number(value), says)}${n >= row.complete ? ` (${w.unfinished})` : ''}`} onClick={open}>{percent(share)}</button>
    </td>
  );
}

function rows(state: RetentionState, answer: RetentionAnswer): Cells {
  const parts = partsOf<Drawn>(answer);
  return [
    [...(parts.length > 1 ? [w.group] : []), w.retention.cohort, w.retention.size, ...answer.average.slice(1).map((_, i) => nth(state, i + 1))],
    ...parts.flatMap((part) => part.of.rows.map((row) => [...(parts.length > 1 ? [part.label] : []), row.start, row.size, ...row.values.slice(1).map((value, i) => (i + 1 > row.complete && value === 0 ? null : value))])),
  ];
}

export default behaviourOf<RetentionState, RetentionAnswer>({
  Question: RetentionQuestion,
  Answer,
  isEmpty: (answer) => answer.rows.every((row) => row.size === 0),
  rows,
  legend: (answer) => curves(partsOf<Drawn>(answer)),
  behind: (state, answer, at) => {
    const row = answer.rows[at.row ?? -1];
    if (!row) return '';
    const label = bucketLabel(periodOf(state), state.tz, true)(row.start);
    const says = at.period ? (at.lost ? w.retention.missing : w.retention.cell)(label, nth(state, at.period)) : w.retention.began(label);
    return [groupOf(at), `${stepText(state.start)}: ${says}`].filter(Boolean).join(' · ');
  },
  actions: (state, at, go) => (at.period ? <Button className="tiny" onClick={() => go({ ...state, at: { ...at, lost: !at.lost } })}>{at.lost ? w.retention.seeBack : w.retention.seeMissing}</Button> : null),
});
