import type { Measure, MetricsResult, StoredEvent } from '@nimbus-analytics/sdk';
import { listEventsOptions, queryMetricsOptions } from '@nimbus-analytics/sdk/react-query';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { IconArrowRight, IconCalendarOff, IconSend } from '@tabler/icons-react';
import { useMemo, type ReactNode } from 'react';
import { readiness } from '../../api';
import { ago, minuteOf, number } from '../../format';
import { useProject, useTitle } from '../../hooks';
import { useWhenStored, type StreamState } from '../../live';
import { m } from '../../messages';
import { zonePref } from '../../prefs';
import { Button, Empty, Failure, Skeleton } from '../../ui';
import { useCompared } from '../../query/answer';
import type { Comparison } from '../../query/compare';
import { Compared } from '../../query/results';
import { Drawing } from '../../query/Drawing';
import { lineOf, measured, weekOf } from '../../query/question';
import { autoBucket, unitBefore, windowOf, type Range } from '../../query/range';
import { RangePicker } from '../../query/RangePicker';
import './overview.css';

const minutely = { refetchInterval: 60_000, placeholderData: keepPreviousData };

export function OverviewPage() {
  const project = useProject()!;
  useTitle(project.name);
  const range = useSearch({ from: '/app/projects/$projectId/' });
  const navigate = useNavigate({ from: '/projects/$projectId/' });
  const setRange = (r: Range) => void navigate({ search: r });
  const tz = zonePref.use();
  const recent = useQuery({ ...queryMetricsOptions({ query: { project_id: project.id, bucket: '1m', limit: 30 } }), ...minutely });
  const last = useQuery({ ...listEventsOptions({ query: { project_id: project.id, limit: 1 } }), ...minutely });
  // The stream only says when to ask again: the numbers come from the server.
  const stream = useWhenStored(project.id, () => void Promise.all([recent.refetch(), last.refetch()]), 1000);
  const nothingYet = last.data?.items.length === 0;

  return (
    <>
      <header className="page-head">
        <h1 className="truncate">{project.name}</h1>
        {!nothingYet && <div className="end"><RangePicker range={range} zone={tz} onChange={setRange} /></div>}
      </header>
      {nothingYet ? (
        <section className="panel">
          <Empty icon={IconSend} title={m.overview.emptyTitle}>
            <p>{m.overview.emptyText}</p>
            <Link className="button primary" to="/projects/$projectId/install" params={{ projectId: project.id }}>{m.overview.emptyAction}</Link>
          </Empty>
        </section>
      ) : (
        <Numbers projectId={project.id} range={range} tz={tz} setRange={setRange} live={<Recent projectId={project.id} recent={recent.data} last={last.data?.items[0]} state={stream.state} />} />
      )}
    </>
  );
}

/** A measure over the range, and over the period before it. */
function useMeasured(project_id: string, measure: Measure, range: Range, tz: string) {
  const question = useMemo(() => measured(project_id, measure, range, tz), [project_id, measure, tz, range]);
  return useCompared(question, { refetchInterval: 60_000, before: unitBefore(range, tz, weekOf(project_id)) });
}

type Measured = ReturnType<typeof useMeasured>;

function Numbers({ projectId, range, tz, setRange, live }: { projectId: string; range: Range; tz: string; setRange: (r: Range) => void; live: ReactNode }) {
  const events = useMeasured(projectId, 'count', range, tz);
  const people = useMeasured(projectId, 'users', range, tz);
  const ratio = (r: MetricsResult | undefined, p: MetricsResult | undefined) => (r?.total && p?.total ? r.total / p.total : undefined);
  const perPerson = ratio(events.result, people.result);
  const [a, b] = [events.comparison, people.comparison];
  const compared = a && b && a.until === b.until ? { now: ratio(a.now, b.now), before: ratio(a.before, b.before), until: a.until } : undefined;
  const tenth = (n: number | null | undefined) => number(n && Math.round(n * 10) / 10);
  const quiet = !events.stale && events.result?.total === 0;

  return (
    <div className="overview">
      <div className="tiles">
        <Tile label={m.overview.events} value={events.result && number(events.result.total)} failed={events.error !== null} stale={events.stale} compared={totals(events.comparison)} tz={tz} />
        <Tile label={m.overview.people} value={people.result && number(people.result.total)} failed={people.error !== null} stale={people.stale} compared={totals(people.comparison)} tz={tz} />
        <Tile label={m.overview.perPerson} value={events.result && people.result && tenth(perPerson)} failed={(events.error ?? people.error) !== null} stale={events.stale || people.stale} compared={compared} format={tenth} tz={tz} />
        {live}
      </div>
      {events.error || people.error ? (
        <Failure error={events.error ?? people.error} retry={events.error ? events.refetch : people.refetch} />
      ) : quiet ? (
        <section className="panel">
          <Empty icon={IconCalendarOff} title={m.overview.quiet}>
            <p>{m.overview.quietText}</p>
            <Button onClick={() => setRange({ range: '12mo' })}>{m.range.presets['12mo']}</Button>
          </Empty>
        </section>
      ) : (
        <>
          <Chart title={m.overview.overTime} measured={events} color={0} link={<ExploreLink projectId={projectId} range={range} />} />
          <div className="halves">
            <TopEvents projectId={projectId} range={range} tz={tz} />
            <Chart title={m.overview.peopleOverTime} measured={people} color={1} small link={<ExploreLink projectId={projectId} range={range} measure="users" />} />
          </div>
        </>
      )}
    </div>
  );
}

/** What happens now: the last half hour, minute by minute, and the latest event. */
function Recent({ projectId, recent, last, state }: { projectId: string; recent: MetricsResult | undefined; last: StoredEvent | undefined; state: StreamState }) {
  const health = useQuery({ queryKey: ['readiness'], queryFn: readiness, refetchInterval: 15_000 });
  const stalled = health.data !== undefined && health.data.checks.ingest.status !== 'ok';
  const most = Math.max(1, ...(recent?.series ?? []).map((p) => p.value ?? 0));
  return (
    <section className="panel tile recent">
      <h2 className="row">
        {m.live.recent}
        <Link className="end live-link" to="/projects/$projectId/live" params={{ projectId }} title={m.live.open}>
          <span className={state === 'open' ? 'dot pulse' : 'dot'} style={{ color: state === 'open' ? 'var(--good)' : 'var(--muted)' }} />
          {m.live.states[state]}
        </Link>
      </h2>
      <div className="value">
        {recent ? <span className="num" data-testid="recent">{number(recent.total)}</span> : <Skeleton height={34} width="40%" />}
        <span className="minutes" aria-hidden>
          {recent?.series.map((p) => <i key={p.ts} style={{ height: `${Math.max(6, ((p.value ?? 0) / most) * 100)}%` }} data-none={p.value ? undefined : ''} />)}
        </span>
      </div>
      <p className="muted small truncate">
        {stalled ? <strong className="bad">{m.overview.ingestion}: {m.overview.stalled}</strong> : last && `${last.name}, ${ago(last.received_at)}`}
      </p>
    </section>
  );
}

function ExploreLink({ projectId, range, measure }: { projectId: string; range: Range; measure?: 'users' }) {
  return (
    <Link className="button quiet tiny end" to="/projects/$projectId/insights" params={{ projectId }} search={{ ...range, ...(measure && { series: [{ measure }] }), compare: true }}>
      {m.overview.explore}<IconArrowRight size={15} aria-hidden />
    </Link>
  );
}

interface Totals {
  now: number | null | undefined;
  before: number | null | undefined;
  until?: string | undefined;
}

const totals = (c: Comparison | undefined): Totals | undefined => c && { now: c.now.total, before: c.before.total, until: c.until };

/** A number and its change. Of a running period, both sides of the comparison are cut at the same point. */
function Tile({ label, value, failed, stale, compared, format = number, tz }: { label: string; value: string | undefined; failed: boolean; stale: boolean; compared: Totals | undefined; format?: (n: number | null | undefined) => string; tz: string }) {
  const until = compared?.until && minuteOf(compared.until, tz);
  return (
    <section className={stale ? 'panel tile stale' : 'panel tile'} aria-busy={stale}>
      <h2>{label}</h2>
      {value !== undefined ? (
        <>
          <div className="value"><span className="num">{value}</span></div>
          <p className="row wrap small" style={{ gap: '0 6px' }}>{!compared ? '\u00a0' : compared.before ? <Compared {...compared} until={until} format={format} /> : <span className="muted">{m.overview.noPrevious}</span>}</p>
        </>
      ) : failed ? <div className="value">–</div> : (
        <Skeleton height={34} width="60%" />
      )}
    </section>
  );
}

function Chart({ title, measured: { result, previous, stale }, color, small, link }: { title: string; measured: Measured; color: number; small?: boolean; link: ReactNode }) {
  const series = useMemo(() => (result ? [lineOf(title, color, result, previous)] : []), [result, previous, title, color]);
  const height = small ? 232 : 260;
  return (
    <section className="panel" aria-busy={stale}>
      <header><h2>{title}</h2>{link}</header>
      <div className={stale ? 'body stale' : 'body'}>
        {result ? <Drawing label={title} result={result} previous={previous} series={series} kind={small ? 'bar' : 'area'} legend={false} height={height} /> : <Skeleton height={height} />}
      </div>
    </section>
  );
}

function TopEvents({ projectId, range, tz }: { projectId: string; range: Range; tz: string }) {
  const top = useQuery({ ...queryMetricsOptions({ query: { project_id: projectId, tz, ...windowOf(range, autoBucket(range), tz, weekOf(projectId)), breakdown: 'name', top: 8 } }), ...minutely });
  const groups = (top.data?.groups ?? []).filter((g) => g.total);
  const most = Math.max(...groups.map((g) => g.total ?? 0), 1);
  return (
    <section className="panel" aria-busy={top.isPlaceholderData}>
      <header><h2>{m.overview.top}</h2></header>
      <div className={top.isPlaceholderData ? 'body stale' : 'body'}>
        {top.error && <Failure error={top.error} retry={() => void top.refetch()} />}
        {top.isPending && <Skeleton height={232} />}
        <ol className="bars">
          {groups.map((g) => (
            <li key={g.other ? 'other' : `value ${g.value}`}>
              <i style={{ width: `${((g.total ?? 0) / most) * 100}%` }} aria-hidden />
              {g.other || g.value === null ? (
                <span className="truncate muted">{m.explore.other}</span>
              ) : (
                <Link className="truncate" to="/projects/$projectId/insights" params={{ projectId }} search={{ ...range, series: [{ event: g.value }] }}>{g.value}</Link>
              )}
              <b className="num">{number(g.total)}</b>
            </li>
          ))}
        </ol>
      </div>
    </section>
  );
}
