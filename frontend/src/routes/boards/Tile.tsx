import type { BoardTile, MetricsQuery, SavedInsight } from '@nimbus-analytics/sdk';
import { Link } from '@tanstack/react-router';
import { useEffect, useMemo, useRef, useState, type CSSProperties, type ReactNode } from 'react';
import { date } from '../../format';
import { m } from '../../messages';
import { Failure, Skeleton } from '../../ui';
import { useAnswer } from '../../query/answer';
import { Drawing } from '../../query/Drawing';
import { questionText } from '../../query/question';
import { describeRange } from '../../query/range';
import { isExplored, stateOf, viewOf, type Explored } from '../../query/report';
import { BigNumber, BucketTable, SeriesTable } from '../../query/results';

const chartHeight = 230;

/** Where a tile lies on the grid, as boards.css reads it: not on a narrow screen. */
export const placeOf = ({ x, y, w, h }: BoardTile) => ({ '--column': `${x + 1} / span ${w}`, '--row': `${y + 1} / span ${h}` }) as CSSProperties;

/** An insight on a board. It asks, and fails, on its own. */
export function Tile({ projectId, insight, tools }: { projectId: string; insight: SavedInsight; tools?: ReactNode }) {
  if (isExplored(insight)) return <Drawn projectId={projectId} report={insight} tools={tools} />;
  return (
    <>
      <header>
        <h2 className="truncate grow" title={insight.description || undefined}>{insight.name}</h2>
        {tools}
      </header>
      <p className="body muted">{m.boards.cannotDraw(m.reports.kinds[insight.question.kind])}</p>
    </>
  );
}

function Drawn({ projectId, report, tools }: { projectId: string; report: Explored; tools?: ReactNode }) {
  const state = useMemo(() => stateOf(report), [report]);
  return (
    <>
      <header>
        <div className="grow">
          <h2 className="truncate" title={report.description || undefined}>
            <Link to="/projects/$projectId/reports/$reportId" params={{ projectId, reportId: report.id }}>{report.name}</Link>
          </h2>
          <p className="muted small clamp" title={questionText(state)}>{questionText(state)} · {describeRange(state, (iso) => date(iso, state.tz))} · {state.tz}</p>
        </div>
        {tools}
      </header>
      <Answer projectId={projectId} report={report} />
    </>
  );
}

function Answer({ projectId, report }: { projectId: string; report: Explored }) {
  const ref = useRef<HTMLDivElement>(null);
  const seen = useSeen(ref);
  const state = useMemo(() => stateOf(report), [report]);
  // The question as it was saved, not as the explorer would rebuild it.
  const question = useMemo<MetricsQuery>(() => {
    const { kind: _, ...asked } = report.question;
    return { ...asked, project_id: projectId };
  }, [report, projectId]);
  const { result, previous, comparison, series, empty, error, refetch, fetching } = useAnswer(state, question, { enabled: seen, refetchInterval: 60_000 });
  const { chart } = viewOf(report.view);
  return (
    <div ref={ref} className="body stack tight" aria-busy={fetching}>
      {error ? (
        <Failure error={error} retry={refetch} />
      ) : !result ? (
        <><Skeleton height={34} width={140} /><Skeleton height={chart === 'number' ? 60 : chartHeight} /></>
      ) : (
        <>
          <BigNumber result={result} comparison={comparison} large={chart === 'number'} />
          {empty && chart !== 'number' ? (
            <p className="muted tile-quiet">{m.boards.quiet}</p>
          ) : chart === 'table' ? (
            result.groups.length > 0 ? <SeriesTable series={series} result={result} comparison={comparison} /> : <BucketTable result={result} series={series} />
          ) : (
            chart !== 'number' && <Drawing label={report.name} result={result} previous={previous} series={series} kind={chart} height={chartHeight} />
          )}
        </>
      )}
    </div>
  );
}

/** Whether an element has been near the viewport: a long board asks only for what is looked at. */
function useSeen(ref: React.RefObject<HTMLElement | null>) {
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const observer = new IntersectionObserver((entries) => entries.some((e) => e.isIntersecting) && setSeen(true), { rootMargin: '300px' });
    observer.observe(ref.current!);
    return () => observer.disconnect();
  }, [ref]);
  return seen;
}
