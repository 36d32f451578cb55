/** Trends: how much of something there was over time, several series and what is computed of them. */
import type { Coordinate } from '@nimbus-analytics/sdk';
import { IconChartArea, IconChartBar, IconChartLine, IconNumbers, IconSearchOff, IconTable, type Icon } from '@tabler/icons-react';
import { useMemo } from 'react';
import { TimeChart } from '../charts/TimeChart';
import { bucketLabel } from '../format';
import { m } from '../messages';
import { isClock } from '../query/range';
import { Button, Empty, Segments } from '../ui';
import { TrendsQuestion } from './ask/TrendsQuestion';
import type { Trended } from './ask';
import { behaviourOf } from './Behaviour';
import { BucketTable, Headline, LinesTable } from './charts/Lines';
import type { AnswerProps, Cells, Set } from './kind';
import { isAdditive, linesOf, measuresOf, wholeOf, written, type Line } from './lines';
import { w } from './messages';
import { useNotes } from './notes';
import type { TrendsState } from './state';
import { charts, needsProp, seriesOf, unzoomed, zoomed, type Chart } from './trends';

const icons: Record<Chart, Icon> = { line: IconChartLine, area: IconChartArea, bar: IconChartBar, table: IconTable, number: IconNumbers };

function Answer({ state, answer, title, set, open, tile }: AnswerProps<TrendsState, Trended>) {
  const chart = state.chart ?? 'line';
  const lines = useMemo(() => linesOf(state, answer), [state, answer]);
  const whole = useMemo(() => wholeOf(state, answer), [state, answer]);
  const only = lines.length > 1 ? lines.find((line) => line.key === state.only) : undefined;
  const measures = measuresOf(state);
  const additive = measures.length === 1 && isAdditive(state, measures[0]!);
  const opens = tile ? undefined : open;
  const empty = isEmpty(answer, state);
  return (
    <>
      <div className="row wrap headline">
        <Headline lines={only ? [only] : whole} answer={answer} tz={state.tz} large={chart === 'number'} open={opens} />
        {!tile && <Segments label={m.explore.chart} value={chart} onChange={(next) => set({ chart: next === 'line' ? undefined : next })} options={charts.map((value) => ({ value, title: m.explore.charts[value], label: <Glyph chart={value} /> }))} />}
      </div>
      {empty && chart !== 'number' && (tile ? <p className="muted tile-quiet">{m.boards.quiet}</p> : <Nothing set={set} />)}
      {!empty && (chart === 'line' || chart === 'area' || chart === 'bar') && <Drawing state={state} answer={answer} lines={lines} whole={whole} kind={chart} additive={additive} title={title} set={set} open={open} tile={tile} />}
      {!empty && chart === 'table' && (!tile || !state.by) && <BucketTable lines={lines} answer={answer} tz={state.tz} open={opens} />}
      {!empty && (tile ? chart === 'table' && state.by : lines.length > 1 && chart !== 'table') && <LinesTable lines={lines} answer={answer} tz={state.tz} whole={additive && state.by ? whole[0]?.total : undefined} open={opens} />}
    </>
  );
}

/** What can be done where no event matches: the number stays, and what was chosen too. */
function Nothing({ set }: { set: Set<TrendsState> }) {
  const blank = { series: undefined, formulas: undefined, hidden: undefined, filter: undefined, by: undefined, cohort: undefined, unit: undefined, from: undefined, to: undefined, bucket: undefined };
  return <Empty icon={IconSearchOff} title={m.explore.emptyTitle}><p>{m.explore.emptyText}</p><Button onClick={() => set({ ...blank, range: '90d' })}>{m.explore.reset}</Button></Empty>;
}

interface DrawingProps extends Pick<AnswerProps<TrendsState, Trended>, 'state' | 'answer' | 'title' | 'set' | 'open' | 'tile'> {
  lines: readonly Line[];
  whole: readonly Line[];
  kind: 'line' | 'area' | 'bar';
  additive: boolean;
}

function Drawing({ state, answer, lines, whole, kind, additive, title, set, open, tile }: DrawingProps) {
  const { bucket, starts } = answer;
  const notes = useNotes(starts);
  const percents = lines.every((line) => line.percent);
  const [short, long] = useMemo(() => [bucketLabel(bucket, state.tz), bucketLabel(bucket, state.tz, true)], [bucket, state.tz]);
  return (
    <TimeChart
      label={title}
      buckets={starts}
      notes={notes}
      series={lines}
      kind={kind}
      additive={additive}
      wholeBefore={additive ? whole[0]?.before?.values : undefined}
      clock={isClock(bucket)}
      formatBucket={short}
      formatBucketLong={long}
      incompleteFrom={answer.meta.incomplete_from}
      height={tile ?? 320}
      {...(percents && { formatValue: written(true) })}
      {...(!tile && {
        only: state.only,
        onOnly: (only: string | undefined) => set({ only }),
        onZoom: (from: number, to: number) => set(zoomed(state, { from: new Date(starts[from]!).toISOString(), to: new Date(starts[to + 1] ?? answer.meta.to).toISOString() })),
        ...(state.unzoom && { onZoomOut: () => set(unzoomed(state)) }),
        onOpen: (row: number, key: string) => {
          const at = lines.find((line) => line.key === key)?.at;
          if (at) open({ ...at, row });
        },
      })}
    />
  );
}

function Glyph({ chart }: { chart: Chart }) {
  const Chosen = icons[chart];
  return <Chosen size={17} aria-hidden />;
}

/** Whether there is nothing to show: no event matched. An average of 0 is a value, and a sum of nothing is 0. */
function isEmpty(answer: Trended, state: TrendsState): boolean {
  return seriesOf(state).every((one, i) => answer.series[i]?.values.every((v) => (needsProp(one.measure) && one.measure !== 'sum' ? v === null : !v)) ?? true);
}

/** The times and a column a line, then those of the range that it is compared with. */
function rows(state: TrendsState, answer: Trended, title: string): Cells {
  const lines = linesOf(state, answer);
  const labels = lines.length === 1 ? [title] : lines.map((line) => line.label);
  const old = lines.flatMap((line, i) => (line.before ? [{ label: `${labels[i]}, ${m.explore.previous}`, values: line.before.values }] : []));
  const times = lines.find((line) => line.before)?.before?.times;
  return [
    [m.explore.time, ...labels, ...(times ? [m.explore.timeBefore, ...old.map((one) => one.label)] : [])],
    ...answer.starts.map((start, i) => [start, ...lines.map((line) => line.values[i] ?? null), ...(times ? [times[i] ?? null, ...old.map((one) => one.values[i] ?? null)] : [])]),
  ];
}

function behind(state: TrendsState, answer: Trended, at: Coordinate): string {
  const same = (line: Line) => line.at?.series === at.series && Boolean(line.at?.other) === Boolean(at.other) && JSON.stringify(line.at?.groups) === JSON.stringify(at.groups);
  const shown = { ...state, hidden: undefined };
  const line = [...linesOf(shown, answer), ...wholeOf(shown, answer)].find(same);
  const start = at.row === undefined ? undefined : answer.starts[at.row];
  return [line?.label, start && bucketLabel(answer.bucket, state.tz, true)(start)].filter(Boolean).join(', ');
}

export default behaviourOf<TrendsState, Trended>({
  Question: TrendsQuestion,
  Answer,
  isEmpty: () => false, // the number is shown all the same, and that it is 0
  rows,
  legend: (answer, state) => linesOf(state, answer).filter((line) => state.only === undefined || line.key === state.only),
  behind,
  incomplete: { title: m.explore.propNeeded, text: w.trends.needProp },
});
