import type { Measure, MetricsResult, StoredEvent } from '@nimbus-analytics/sdk';
import { getHealthOptions, listEventsOptions, queryMetricsOptions } from '@nimbus-analytics/sdk/react-query';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { IconArrowRight, IconCalendarOff, IconSend } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { TimeChart, type Series } from '../../charts/TimeChart';
import { ago, bucketLabel, change, number } from '../../format';
import { useProject, useTitle } from '../../hooks';
import { useWhenStored, type StreamState } from '../../live';
import { m } from '../../messages';
import { zonePref } from '../../prefs';
import { Button, Delta, Empty, Failure, Skeleton } from '../../ui';
import { autoBucket, windowBefore, windowOf, type Range } from '../explore/range';
import { RangePicker } from '../explore/RangePicker';
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
  // The stream says when to look; the numbers are always the server's.
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

/** A measure over the range, and over as long a time before it. */
function usePair(project_id: string, measure: Measure, range: Range, tz: string) {
  const common = { project_id, measure, tz };
  const now = useQuery({ ...queryMetricsOptions({ query: { ...common, ...windowOf(range, autoBucket(range)) } }), ...minutely });
  const before = useQuery({ ...queryMetricsOptions({ query: { ...common, ...(now.data && windowBefore(now.data)) } }), ...minutely, enabled: now.data !== undefined && !now.isPlaceholderData });
  return { now: now.data, before: before.data, error: now.error ?? before.error, retry: () => void (now.error ? now : before).refetch() };
}

type Pair = ReturnType<typeof usePair>;

function Numbers({ projectId, range, tz, setRange, live }: { projectId: string; range: Range; tz: string; setRange: (r: Range) => void; live: ReactNode }) {
  const events = usePair(projectId, 'count', range, tz);
  const people = usePair(projectId, 'users', range, tz);
  const ratio = (r: MetricsResult | undefined, p: MetricsResult | undefined) => (r?.total && p?.total ? r.total / p.total : undefined);
  const ratios = { now: ratio(events.now, people.now), before: ratio(events.before, people.before) };
  const quiet = events.now?.total === 0;

  return (
    <div className="overview">
      <div className="tiles">
        <Tile label={m.overview.events} pair={events} />
        <Tile label={m.overview.people} pair={people} />
        <section className="panel tile">
          <h2>{m.overview.perPerson}</h2>
          {!events.now || (!people.now && !people.error) ? <Skeleton height={34} width="60%" /> : (
            <div className="value"><span className="num">{number(ratios.now && Math.round(ratios.now * 10) / 10)}</span><Delta value={change(ratios.now, ratios.before)} /></div>
          )}
        </section>
        {live}
      </div>
      {events.error || people.error ? (
        <Failure error={events.error ?? people.error} retry={events.error ? events.retry : people.retry} />
      ) : quiet ? (
        <section className="panel">
          <Empty icon={IconCalendarOff} title={m.overview.quiet}>
            <p>{m.overview.quietText}</p>
            <Button onClick={() => setRange({ range: '12mo' })}>{m.range.presets['12mo']}</Button>
          </Empty>
        </section>
      ) : (
        <>
          <Chart title={m.overview.overTime} pair={events} color={0} link={<ExploreLink projectId={projectId} range={range} />} />
          <div className="halves">
            <TopEvents projectId={projectId} range={range} tz={tz} />
            <Chart title={m.overview.peopleOverTime} pair={people} color={1} small link={<ExploreLink projectId={projectId} range={range} measure="users" />} />
          </div>
        </>
      )}
    </div>
  );
}

/** What happens now: the last half hour, minute by minute, and the latest event. */
function Recent({ projectId, recent, last, state }: { projectId: string; recent: MetricsResult | undefined; last: StoredEvent | undefined; state: StreamState }) {
  const health = useQuery({ ...getHealthOptions(), refetchInterval: 15_000 });
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
    <Link className="button quiet tiny end" to="/projects/$projectId/explore" params={{ projectId }} search={{ ...range, ...(measure && { measure }), compare: true }}>
      {m.overview.explore}<IconArrowRight size={15} aria-hidden />
    </Link>
  );
}

function Tile({ label, pair }: { label: string; pair: Pair }) {
  const { now, before } = pair;
  return (
    <section className="panel tile">
      <h2>{label}</h2>
      {now ? (
        <>
          <div className="value"><span className="num">{number(now.total)}</span>{before && <Delta value={change(now.total, before.total)} />}</div>
          <p className="muted small">{before ? (before.total ? m.overview.previous(number(before.total)) : m.overview.noPrevious) : ' '}</p>
        </>
      ) : pair.error ? <div className="value">–</div> : (
        <Skeleton height={34} width="60%" />
      )}
    </section>
  );
}

function Chart({ title, pair, color, small, link }: { title: string; pair: Pair; color: number; small?: boolean; link: ReactNode }) {
  const { now, before } = pair;
  const values = (r: MetricsResult) => r.series.map((p) => p.value);
  const series: Series[] = now
    ? [
        { key: 'now', label: title, color, total: now.total, values: values(now) },
        ...(before?.total ? [{ key: 'now before', label: `${title}, ${m.explore.previous}`, color, total: before.total, values: values(before).slice(0, now.series.length), previous: true }] : []),
      ]
    : [];
  return (
    <section className="panel">
      <header><h2>{title}</h2>{link}</header>
      <div className="body">
        {now ? (
          <TimeChart
            label={title}
            buckets={now.series.map((p) => p.ts)}
            series={series}
            kind={small ? 'bar' : 'area'}
            legend={false}
            height={small ? 232 : 260}
            formatBucket={bucketLabel(now.bucket, now.tz)}
            formatBucketLong={bucketLabel(now.bucket, now.tz, true)}
            incompleteFrom={now.meta.incomplete_from}
          />
        ) : (
          <Skeleton height={small ? 232 : 260} />
        )}
      </div>
    </section>
  );
}

function TopEvents({ projectId, range, tz }: { projectId: string; range: Range; tz: string }) {
  const top = useQuery({ ...queryMetricsOptions({ query: { project_id: projectId, tz, ...windowOf(range, autoBucket(range)), breakdown: 'name', top: 8 } }), ...minutely });
  const groups = (top.data?.groups ?? []).filter((g) => g.total);
  const most = Math.max(...groups.map((g) => g.total ?? 0), 1);
  return (
    <section className="panel">
      <header><h2>{m.overview.top}</h2></header>
      <div className="body">
        {top.error && <Failure error={top.error} retry={() => void top.refetch()} />}
        {top.isPending && <Skeleton height={232} />}
        <ol className="bars">
          {groups.map((g) => (
            <li key={g.other ? 'other' : `value ${g.value}`}>
              <i style={{ width: `${((g.total ?? 0) / most) * 100}%` }} aria-hidden />
              {g.other || g.value === null ? (
                <span className="truncate muted">{m.explore.other}</span>
              ) : (
                <Link className="truncate" to="/projects/$projectId/explore" params={{ projectId }} search={{ ...range, names: [g.value] }}>{g.value}</Link>
              )}
              <b className="num">{number(g.total)}</b>
            </li>
          ))}
        </ol>
      </div>
    </section>
  );
}
