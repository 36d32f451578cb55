/** Lifecycle: who is new, comes back and falls silent. Stickiness: in how many periods people are active. */
import type { LifecycleAnswer, StickinessAnswer } from '@nimbus-analytics/sdk';
import { useMemo } from 'react';
import type { Series } from '../charts/series';
import { TimeChart } from '../charts/TimeChart';
import { bucketLabel, number, percent } from '../format';
import { isClock } from '../query/range';
import { LifecycleQuestion, StickinessQuestion } from './ask/ActivityQuestion';
import { behaviourOf } from './Behaviour';
import { periodOf } from './body';
import { NumberButton } from './charts/NumberButton';
import { groupOf, partsOf, usePart } from './groups';
import type { AnswerProps } from './kind';
import { w } from './messages';
import { useNotes } from './notes';
import type { ActivityState } from './state';

const states = ['new', 'returning', 'resurrecting', 'dormant'] as const;
const colors = { new: 0, returning: 1, resurrecting: 3, dormant: 2 };
/** Those who are gone are drawn below the line; their number is no negative one. */
const size = (v: number | null | undefined) => number(v === null || v === undefined ? v : Math.abs(v));

function LifecycleView({ state, answer, title, open, tile }: AnswerProps<ActivityState, LifecycleAnswer>) {
  const bucket = periodOf(state);
  const [part, choice] = usePart(partsOf<Pick<LifecycleAnswer, 'rows'>>(answer));
  const { rows } = part.of;
  const series = useMemo(
    () => states.map((name): Series => ({ key: name, label: w.lifecycle[name], color: colors[name], total: null, values: rows.map((row) => (name === 'dormant' ? -row[name] : row[name])) })),
    [rows],
  );
  const starts = useMemo(() => rows.map((row) => row.start), [rows]);
  const notes = useNotes(starts);
  const label = bucketLabel(bucket, state.tz, true);
  const last = rows.findLast((row) => row.complete);
  return (
    <>
      {!tile && choice}
      {last && (
        <dl className="stats">
          {states.map((name) => (
            <div key={name}><dt>{w.lifecycle.at(w.lifecycle[name], label(last.start))}</dt><dd className="num">{number(last[name])}</dd></div>
          ))}
        </dl>
      )}
      <TimeChart label={title} buckets={starts} notes={notes} series={series} kind="bar" clock={isClock(bucket)} formatBucket={bucketLabel(bucket, state.tz)} formatBucketLong={label} incompleteFrom={rows.find((row) => !row.complete)?.start} height={tile} formatValue={size} onOpen={(row, name) => open({ ...part.at, row, state: name as keyof typeof colors })} />
      {!tile && <div className="scroll-x buckets" tabIndex={0} role="group" aria-label={w.table}>
        <table className="table compact">
          <thead><tr><th>{w.time}</th>{states.map((name) => <th key={name} className="right">{w.lifecycle[name]}</th>)}</tr></thead>
          <tbody>
            {rows.map((row, i) => ({ row, i })).reverse().map(({ row, i }) => (
              <tr key={row.start}>
                <td className="nowrap">{label(row.start)} {!row.complete && <span className="badge">{w.unfinished}</span>}</td>
                {states.map((name) => (
                  <td key={name} className="right"><NumberButton value={row[name]} says={w.lifecycle.at(w.lifecycle[name], label(row.start))} onOpen={() => open({ ...part.at, row: i, state: name })} /></td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>}
    </>
  );
}

export const Lifecycle = behaviourOf<ActivityState, LifecycleAnswer>({
  Question: LifecycleQuestion,
  Answer: LifecycleView,
  isEmpty: (answer) => answer.rows.every((row) => states.every((name) => row[name] === 0)),
  rows: (_, answer) => {
    const parts = partsOf<Pick<LifecycleAnswer, 'rows'>>(answer);
    const named = parts.length > 1;
    return [
      [...(named ? [w.group] : []), w.time, ...states.map((name) => w.lifecycle[name])],
      ...parts.flatMap((part) => part.of.rows.map((row) => [...(named ? [part.label] : []), row.start, ...states.map((name) => row[name])])),
    ];
  },
  legend: () => states.map((name) => ({ label: w.lifecycle[name], color: colors[name] })),
  behind: (state, answer, at) => {
    const row = answer.rows[at.row ?? -1];
    return row && at.state ? [groupOf(at), w.lifecycle.at(w.lifecycle[at.state], bucketLabel(periodOf(state), state.tz, true)(row.start))].filter(Boolean).join(': ') : '';
  },
});

/** In how many periods people were active, on average. */
const averageOf = ({ exactly, people }: Pick<StickinessAnswer, 'people' | 'exactly'>) => exactly.reduce((sum, n, i) => sum + n * (i + 1), 0) / Math.max(1, people);

function StickinessView({ state, answer, title, open, tile }: AnswerProps<ActivityState, StickinessAnswer>) {
  const parts = partsOf<Pick<StickinessAnswer, 'people' | 'exactly' | 'at_least'>>(answer);
  const [part, choice] = usePart(parts);
  const shown = part.of;
  const values = state.least ? shown.at_least : shown.exactly;
  const label = state.least ? w.stickiness.least : w.stickiness.exactly;
  const series = useMemo((): Series[] => [{ key: 'people', label, color: 0, total: null, values }], [values, label]);
  const unit = (n: number) => (n === 1 ? w.period : w.periods)[periodOf(state)];
  const average = averageOf(shown);
  const at = (i: number) => ({ ...part.at, period: i + 1, ...(state.least && { at_least: true }) });
  const says = (i: number) => `${label} ${w.stickiness.in(i + 1, unit(i + 1))}`;
  return (
    <>
      {!tile && choice}
      <div className="big">
        <span className="num">{number(Math.round(average * 10) / 10)}</span>
        <span className="muted small">{[w.stickiness.average(w.periods[periodOf(state)], number(answer.periods)), w.stickiness.active(shown.people, number(shown.people))].join(' · ')}</span>
      </div>
      <TimeChart label={title} buckets={values.map((_, i) => String(i + 1))} series={series} kind="bar" formatBucket={(n) => n} formatBucketLong={(n) => w.stickiness.in(Number(n), unit(Number(n)))} height={tile} onOpen={(i) => open(at(i))} />
      {!tile && <div className="scroll-x buckets" tabIndex={0} role="group" aria-label={w.table}>
        <table className="table compact">
          <thead><tr><th>{w.stickiness.periods}</th><th className="right">{w.stickiness.people}</th><th className="right">{w.stickiness.share}</th></tr></thead>
          <tbody>
            {values.map((people, i) => (
              <tr key={i}>
                <td>{w.stickiness.in(i + 1, unit(i + 1))}</td>
                <td className="right"><NumberButton value={people} says={says(i)} onOpen={() => open(at(i))} /></td>
                <td className="right muted">{shown.people > 0 ? percent(people / shown.people) : '–'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>}
    </>
  );
}

export const Stickiness = behaviourOf<ActivityState, StickinessAnswer>({
  Question: StickinessQuestion,
  Answer: StickinessView,
  isEmpty: (answer) => answer.people === 0,
  rows: (_, answer) => {
    const parts = partsOf<Pick<StickinessAnswer, 'exactly' | 'at_least'>>(answer);
    const named = parts.length > 1;
    return [
      [...(named ? [w.group] : []), w.stickiness.periods, w.stickiness.exactly, w.stickiness.least],
      ...parts.flatMap((part) => part.of.exactly.map((people, i) => [...(named ? [part.label] : []), i + 1, people, part.of.at_least[i] ?? null])),
    ];
  },
  behind: (state, _, at) => `${groupOf(at) ? `${groupOf(at)}: ` : ''}${at.at_least ? w.stickiness.least : w.stickiness.exactly} ${w.stickiness.in(at.period ?? 0, (at.period === 1 ? w.period : w.periods)[periodOf(state)])}`,
});
