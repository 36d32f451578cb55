import type { Coordinate, FunnelAnswer, Histogram } from '@nimbus-analytics/sdk';
import { useMemo } from 'react';
import { TimeChart } from '../charts/TimeChart';
import { bucketLabel, number, percent } from '../format';
import { isClock } from '../query/range';
import { Segments } from '../ui';
import { FunnelQuestion } from './ask/FunnelQuestion';
import { behaviourOf } from './Behaviour';
import { byName, edgesOf, periodOf } from './body';
import { FunnelBars } from './charts/FunnelBars';
import { HistogramBars } from './charts/HistogramBars';
import { NumberButton } from './charts/NumberButton';
import { coordinateOf, groupOf } from './groups';
import type { AnswerProps, Cells } from './kind';
import { w } from './messages';
import { useNotes } from './notes';
import type { FunnelState } from './state';
import { edgeText, stepName, stepText, took, valueText } from './text';

/** Of each step the required one before it, from which people are lost; -1 for the first. An optional step loses nobody for the next. */
const before = (s: FunnelState) => s.steps.map((_, i) => s.steps.findLastIndex((step, j) => j < i && !step.optional));

const rate = (counts: readonly number[]) => (counts[0] ? (counts.at(-1) ?? 0) / counts[0] : 0);
const share = (part: number, of: number | undefined) => (of ? percent(part / of) : '–');

function Answer({ state, answer, title, set, open, tile }: AnswerProps<FunnelState, FunnelAnswer>) {
  const view = state.view ?? 'steps';
  const names = state.steps.map(stepName);
  const converted = answer.counts.at(-1) ?? 0;
  return (
    <>
      <div className="row wrap headline">
        <div className="big">
          <span className="num">{percent(rate(answer.counts))}</span>
          <span className="muted small">{[w.counted[state.count ?? 'users'](converted, number(converted)), answer.time && w.funnel.time(took(answer.time.median)), answer.incomplete > 0 && w.incomplete(number(answer.incomplete))].filter(Boolean).join(' · ')}</span>
        </div>
        {!tile && <Segments label={w.funnel.view} value={view} onChange={(next) => set({ view: next === 'steps' ? undefined : next })} options={(['steps', 'series', 'time'] as const).map((value) => ({ value, label: w.funnel.views[value] }))} />}
      </div>
      {view === 'steps' && <FunnelBars label={title} names={names} answer={answer} counted={state.count ?? 'users'} onOpen={(step, lost) => open(lost ? { step, lost } : { step })} before={before(state)} />}
      {view === 'series' && answer.series && <OverTime state={state} answer={answer} title={title} open={open} tile={tile} />}
      {view === 'time' && <TimeToConvert state={state} answer={answer} title={title} />}
      {!tile && view !== 'time' && <StepsTable state={state} answer={answer} open={open} />}
      {!tile && state.by && <GroupsTable state={state} answer={answer} open={open} />}
    </>
  );
}

function StepsTable({ state, answer, open }: { state: FunnelState; answer: FunnelAnswer; open: (at: Coordinate) => void }) {
  const names = state.steps.map(stepText);
  const required = before(state);
  return (
    <div className="scroll-x" tabIndex={0} role="group" aria-label={w.table}>
      <table className="table compact groups">
        <thead>
          <tr><th>{w.funnel.step}</th><th className="right">{w.funnel.reached}</th><th className="right">{w.funnel.ofFirst}</th><th className="right">{w.funnel.ofBefore}</th><th className="right">{w.funnel.lost}</th><th className="right">{w.funnel.median}</th></tr>
        </thead>
        <tbody>
          {names.map((name, i) => {
            const count = answer.counts[i] ?? 0;
            const from = required[i]!;
            const earlier = answer.counts[from];
            const time = answer.step_times[i];
            return (
              <tr key={i}>
                <td><span className="truncate" title={name}>{i + 1} {name}</span></td>
                <td className="right"><NumberButton value={count} says={w.funnel.reachedStep(name)} onOpen={() => open({ step: i + 1 })} /></td>
                <td className="right">{share(count, answer.counts[0])}</td>
                <td className="right muted">{i === 0 ? '' : share(count, earlier)}</td>
                <td className="right">{earlier !== undefined && <NumberButton value={earlier - count} says={w.funnel.lostAfter(names[from]!, name)} onOpen={() => open({ step: i + 1, lost: true })} />}</td>
                <td className="right muted">{i > 0 && time ? took(time.median) : ''}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** Each group of the breakdown, with the best and the worst conversion marked. */
function GroupsTable({ state, answer, open }: { state: FunnelState; answer: FunnelAnswer; open: (at: Coordinate) => void }) {
  const groups = answer.groups ?? [];
  const rates = groups.map((g) => rate(g.counts));
  const [best, worst] = [Math.max(...rates), Math.min(...rates)];
  const rows = [
    ...groups.map((g, i) => ({ key: String(i), label: g.cohort ?? valueText(g.value), at: coordinateOf(g.value), group: g, mark: best === worst ? '' : rates[i] === best ? 'best' : rates[i] === worst ? 'worst' : '' })),
    ...(answer.other ? [{ key: 'other', label: w.other(answer.other.values, number(answer.other.values)), at: { other: true } as Coordinate, group: answer.other, mark: '' }] : []),
  ];
  return (
    <div className="scroll-x" tabIndex={0} role="group" aria-label={w.group}>
      <table className="table compact groups">
        <thead>
          <tr>
            <th>{byName(state.by!)}</th>
            {state.steps.map((step, i) => (
              <th key={i} className="right"><span className="truncate" title={stepText(step)}>{i + 1} {stepName(step)}</span></th>
            ))}
            <th className="right">{w.funnel.conversion}</th>
            <th className="right">{w.funnel.median}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, label, at, group, mark }) => (
            <tr key={key}>
              <td><span className="truncate" title={label}>{label}</span></td>
              {state.steps.map((step, i) => (
                <td key={i} className="right"><NumberButton value={group.counts[i] ?? 0} says={`${label}, ${w.funnel.reachedStep(stepName(step))}`} onOpen={() => open({ ...at, step: i + 1 })} /></td>
              ))}
              <td className="right">{percent(rate(group.counts))} {mark && <span className={`badge ${mark === 'best' ? 'good' : 'warn'}`}>{mark === 'best' ? w.funnel.best : w.funnel.worst}</span>}</td>
              <td className="right muted">{group.time ? took(group.time.median) : '–'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function OverTime({ state, answer, title, open, tile }: { state: FunnelState; answer: FunnelAnswer; title: string; open: (at: Coordinate) => void; tile: number | undefined }) {
  const points = answer.series!;
  const bucket = periodOf(state);
  const series = useMemo(() => [{ key: 'rate', label: w.funnel.conversion, color: 0, total: null, values: answer.series!.map((p) => (p.counts[0] ? rate(p.counts) : null)) }], [answer.series]);
  const starts = useMemo(() => answer.series!.map((p) => p.start), [answer.series]);
  const notes = useNotes(starts);
  const running = points.find((p) => p.incomplete > 0)?.start;
  return (
    <TimeChart label={title} buckets={starts} notes={notes} series={series} kind="line" additive={false} clock={isClock(bucket)} formatBucket={bucketLabel(bucket, state.tz)} formatBucketLong={bucketLabel(bucket, state.tz, true)} incompleteFrom={running} height={tile} formatValue={ratio} onOpen={(row) => open({ step: state.steps.length, row })} />
  );
}
const ratio = (v: number | null | undefined) => (v === null || v === undefined ? '–' : percent(v));

/** The intervals between the edges, in words, with how many conversions took so long. */
function intervalsOf(histogram: Histogram, edges: readonly number[]) {
  return [
    { label: w.funnel.under(edgeText(edges[0]!)), count: histogram.under },
    ...histogram.counts.map((count, i) => ({ label: edges[i + 1] === undefined ? w.funnel.from(edgeText(edges[i]!)) : w.funnel.between(edgeText(edges[i]!), edgeText(edges[i + 1]!)), count })),
  ];
}

function TimeToConvert({ state, answer, title }: { state: FunnelState; answer: FunnelAnswer; title: string }) {
  const edges = edgesOf(state.window);
  if (!answer.histogram) return <p className="muted">{edges.length === 0 ? w.funnel.tooShort : ''}</p>;
  const { time } = answer;
  return (
    <>
      <HistogramBars label={title} bars={intervalsOf(answer.histogram, edges)} />
      {time && (
        <dl className="stats">
          {(['n', 'median', 'mean', 'p90', 'min', 'max'] as const).map((name) => (
            <div key={name}><dt>{w.funnel.times[name]}</dt><dd className="num">{name === 'n' ? number(time.n) : took(time[name])}</dd></div>
          ))}
        </dl>
      )}
    </>
  );
}

function rows(state: FunnelState, answer: FunnelAnswer): Cells {
  const names = state.steps.map((step, i) => `${i + 1} ${stepText(step)}`);
  if (state.view === 'time' && answer.histogram) return [[w.time, w.funnel.times.n], ...intervalsOf(answer.histogram, edgesOf(state.window)).map(({ label, count }) => [label, count])];
  if (state.view === 'series' && answer.series) return [[w.time, ...names, w.funnel.conversion], ...answer.series.map((p) => [p.start, ...p.counts, rate(p.counts)])];
  const line = (label: string, g: Pick<FunnelAnswer, 'counts' | 'time'>) => [label, ...g.counts, rate(g.counts), g.time?.median ?? null];
  return [
    [w.group, ...names, w.funnel.conversion, `${w.funnel.median}, s`],
    line(w.total, answer),
    ...(answer.groups ?? []).map((g) => line(valueText(g.value), g)),
    ...(answer.other ? [line(w.other(answer.other.values, number(answer.other.values)), answer.other)] : []),
  ];
}

export default behaviourOf<FunnelState, FunnelAnswer>({
  Question: FunnelQuestion,
  Answer,
  isEmpty: (answer) => (answer.counts[0] ?? 0) === 0,
  rows,
  behind: (state, _, at) => {
    const i = (at.step ?? 1) - 1;
    const step = state.steps[i];
    if (!step) return '';
    const from = state.steps[before(state)[i]!];
    return [groupOf(at), at.lost && from ? w.funnel.lostAfter(stepText(from), stepText(step)) : w.funnel.reachedStep(stepText(step))].filter(Boolean).join(': ');
  },
  again: (state) => state.count !== undefined,
});
