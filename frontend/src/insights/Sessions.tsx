import type { Coordinate, GroupValue, SessionEnds, SessionGroup, SessionsAnswer } from '@nimbus-analytics/sdk';
import { useMemo } from 'react';
import { TimeChart } from '../charts/TimeChart';
import { bucketLabel, number, percent } from '../format';
import { isClock } from '../query/range';
import { SessionsQuestion } from './ask/SessionsQuestion';
import { behaviourOf } from './Behaviour';
import { byName, periodOf } from './body';
import { NumberButton } from './charts/NumberButton';
import type { AnswerProps, Cells } from './kind';
import { w } from './messages';
import { useNotes } from './notes';
import type { SessionsState } from './state';
import { took, valueText } from './text';

type Measured = Pick<SessionGroup, 'sessions' | 'events' | 'bounces' | 'length'>;
const perSession = (s: Measured) => (s.sessions > 0 ? number(Math.round((s.events / s.sessions) * 10) / 10) : '–');
const bounced = (s: Measured) => (s.sessions > 0 ? percent(s.bounces / s.sessions) : '–');
const length = (s: Measured, of: 'median' | 'p90') => (s.length ? took(s.length[of]) : '–');

function Answer({ state, answer, title, open, tile }: AnswerProps<SessionsState, SessionsAnswer>) {
  const bucket = periodOf(state);
  const starts = useMemo(() => (answer.series ?? []).map((p) => p.start), [answer.series]);
  const notes = useNotes(starts);
  const series = useMemo(
    () => (['sessions', 'people'] as const).map((name, i) => ({ key: name, label: w.sessions[name], color: i, total: null, values: (answer.series ?? []).map((p) => p[name]) })),
    [answer.series],
  );
  const stats = [
    [w.sessions.sessions, number(answer.sessions)],
    [w.sessions.people, number(answer.people)],
    [w.sessions.events, perSession(answer)],
    [w.sessions.bounces, bounced(answer)],
    [w.sessions.median, length(answer, 'median')],
    [w.sessions.p90, length(answer, 'p90')],
  ];
  return (
    <>
      <dl className="stats">{stats.map(([name, value]) => <div key={name}><dt>{name}</dt><dd className="num">{value}</dd></div>)}</dl>
      <TimeChart label={`${title}. ${w.sessions.overTime}`} buckets={starts} notes={notes} series={series} kind="line" additive={false} clock={isClock(bucket)} formatBucket={bucketLabel(bucket, state.tz)} formatBucketLong={bucketLabel(bucket, state.tz, true)} incompleteFrom={answer.meta.incomplete_from} height={tile} onOpen={(row) => open({ row })} />
      {!tile && state.by && <Groups state={state} answer={answer} open={open} />}
      {!tile && <div className="two">
        <Ends title={w.sessions.entries} ends={answer.entries} of={answer.sessions} />
        <Ends title={w.sessions.exits} ends={answer.exits} of={answer.sessions} />
      </div>}
    </>
  );
}

function Groups({ state, answer, open }: { state: SessionsState; answer: SessionsAnswer; open: (at: Coordinate) => void }) {
  const rows = [
    ...(answer.groups ?? []).map((g, i) => ({ ...g, key: String(i), label: valueText(g.value), people: g.people as number | null, at: (g.value === null ? { no_value: true } : { group: g.value }) as Coordinate })),
    ...(answer.other ? [{ key: 'other', label: w.other(answer.other.values, number(answer.other.values)), at: { other: true } as Coordinate, people: null as number | null, ...answer.other }] : []),
  ];
  return (
    <div className="scroll-x" tabIndex={0} role="group" aria-label={w.group}>
      <table className="table compact groups">
        <thead>
          <tr><th>{byName(state.by!)}</th><th className="right">{w.sessions.sessions}</th><th className="right">{w.sessions.people}</th><th className="right">{w.sessions.events}</th><th className="right">{w.sessions.bounces}</th><th className="right">{w.sessions.median}</th></tr>
        </thead>
        <tbody>
          {rows.map((g) => (
            <tr key={g.key}>
              <td><span className="truncate" title={g.label}>{g.label}</span></td>
              <td className="right"><NumberButton value={g.sessions} says={w.sessions.group(g.label)} onOpen={() => open(g.at)} /></td>
              <td className="right">{number(g.people)}</td>
              <td className="right muted">{perSession(g)}</td>
              <td className="right">{bounced(g)}</td>
              <td className="right muted">{length(g, 'median')}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** With which events sessions begin or end. */
function Ends({ title, ends, of }: { title: string; ends: SessionEnds; of: number }) {
  const rows = [...ends.top, ...(ends.other > 0 ? [{ event: w.sessions.otherEvents, sessions: ends.other }] : [])];
  return (
    <table className="table compact groups">
      <thead><tr><th>{title}</th><th className="right">{w.sessions.sessions}</th><th className="right">{w.sessions.share}</th></tr></thead>
      <tbody>
        {rows.map((row, i) => (
          <tr key={i}>
            <td><span className="truncate" title={row.event}>{row.event}</span></td>
            <td className="right">{number(row.sessions)}</td>
            <td className="right muted">{of > 0 ? percent(row.sessions / of) : '–'}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function rows(state: SessionsState, answer: SessionsAnswer): Cells {
  if (!state.by) return [[w.time, w.sessions.sessions, w.sessions.people], ...(answer.series ?? []).map((p) => [p.start, p.sessions, p.people])];
  const line = (label: string, g: Measured, people: number | null) => [label, g.sessions, people, g.events, g.bounces, g.length?.median ?? null];
  return [
    [w.group, w.sessions.sessions, w.sessions.people, w.sessions.allEvents, w.sessions.bounces, `${w.sessions.median}, s`],
    line(w.total, answer, answer.people),
    ...(answer.groups ?? []).map((g) => line(valueText(g.value), g, g.people)),
    ...(answer.other ? [line(w.other(answer.other.values, number(answer.other.values)), answer.other, null)] : []),
  ];
}

export default behaviourOf<SessionsState, SessionsAnswer>({
  Question: SessionsQuestion,
  Answer,
  isEmpty: (answer) => answer.sessions === 0,
  rows,
  legend: () => (['sessions', 'people'] as const).map((name, color) => ({ label: w.sessions[name], color })),
  behind: (state, answer, at) => {
    const point = at.row === undefined ? undefined : answer.series?.[at.row];
    if (point) return `${w.sessions.all}, ${bucketLabel(periodOf(state), state.tz, true)(point.start)}`;
    return at.group !== undefined ? w.sessions.group(valueText(at.group as GroupValue)) : at.no_value ? w.sessions.group(w.absent) : w.sessions.all;
  },
  again: () => true,
});
