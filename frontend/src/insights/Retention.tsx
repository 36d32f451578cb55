import type { Coordinate, GroupValue, RetentionAnswer, RetentionAverage, RetentionRow } from '@nimbus-analytics/sdk';
import { useMemo, useState, type CSSProperties } from 'react';
import type { Series } from '../charts/series';
import { TimeChart } from '../charts/TimeChart';
import { bucketLabel, number, percent } from '../format';
import { Button } from '../ui';
import { Choice } from '../ui/Picker';
import { RetentionQuestion } from './ask/RetentionQuestion';
import { behaviourOf } from './Behaviour';
import { periodOf } from './body';
import type { AnswerProps, Cells } from './kind';
import { w } from './messages';
import type { RetentionState } from './state';
import { stepText, valueText } from './text';

interface Part {
  key: string;
  label: string;
  /** What names the group where people are asked for. */
  at: Coordinate;
  rows: readonly RetentionRow[];
  average: readonly RetentionAverage[];
}

/** All people, and each group of the breakdown. */
function partsOf(answer: RetentionAnswer): Part[] {
  return [
    { key: 'all', label: w.total, at: {}, rows: answer.rows, average: answer.average },
    ...(answer.groups ?? []).map((g, i): Part => ({ key: String(i), label: valueText(g.value), at: g.value === null ? { no_value: true } : { group: g.value }, rows: g.rows, average: g.average })),
    ...(answer.other ? [{ key: 'other', label: w.other(answer.other.values, number(answer.other.values)), at: { other: true }, rows: answer.other.rows, average: answer.other.average }] : []),
  ];
}

const ratio = (v: number | null | undefined) => (v === null || v === undefined ? '–' : percent(v));
const shareOf = ({ retained, size }: RetentionAverage) => (size > 0 ? retained / size : null);
const nth = (state: RetentionState, n: number) => w.retention.n(w.period[periodOf(state)], n);

const curves = (parts: readonly Part[]) => parts.map((p, i): Series => ({ key: p.key, label: p.label, color: p.key === 'other' ? 'other' : i, total: null, values: p.average.map(shareOf) }));

function Answer({ state, answer, title, open, tile }: AnswerProps<RetentionState, RetentionAnswer>) {
  const parts = useMemo(() => partsOf(answer), [answer]);
  const [chosen, setChosen] = useState('all');
  const part = parts.find((p) => p.key === chosen) ?? parts[0]!;
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
      {!tile && parts.length > 1 && <div className="sentence">{w.retention.of}<Choice label={w.group} value={part.key} options={parts.map((p) => [p.key, p.label])} onChange={setChosen} /></div>}
      {!tile && <Triangle state={state} part={part} open={(at) => open({ ...part.at, ...at })} />}
      {!tile && part.rows.some((row) => row.complete < row.values.length) && <p className="small muted">{w.unfinishedHelp}</p>}
    </>
  );
}

function Triangle({ state, part, open }: { state: RetentionState; part: Part; open: (at: Coordinate) => void }) {
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
  const parts = partsOf(answer);
  return [
    [...(parts.length > 1 ? [w.group] : []), w.retention.cohort, w.retention.size, ...answer.average.slice(1).map((_, i) => nth(state, i + 1))],
    ...parts.flatMap((part) => part.rows.map((row) => [...(parts.length > 1 ? [part.label] : []), row.start, row.size, ...row.values.slice(1).map((value, i) => (i + 1 > row.complete && value === 0 ? null : value))])),
  ];
}

export default behaviourOf<RetentionState, RetentionAnswer>({
  Question: RetentionQuestion,
  Answer,
  isEmpty: (answer) => answer.rows.every((row) => row.size === 0),
  rows,
  legend: (answer) => curves(partsOf(answer)),
  behind: (state, answer, at) => {
    const row = answer.rows[at.row ?? -1];
    if (!row) return '';
    const label = bucketLabel(periodOf(state), state.tz, true)(row.start);
    const of = at.group !== undefined ? valueText(at.group as GroupValue) : at.no_value ? w.absent : undefined;
    const says = at.period ? (at.lost ? w.retention.missing : w.retention.cell)(label, nth(state, at.period)) : w.retention.began(label);
    return [of, `${stepText(state.start)}: ${says}`].filter(Boolean).join(' · ');
  },
  actions: (state, at, go) => (at.period ? <Button className="tiny" onClick={() => go({ ...state, at: { ...at, lost: !at.lost } })}>{at.lost ? w.retention.seeBack : w.retention.seeMissing}</Button> : null),
});
