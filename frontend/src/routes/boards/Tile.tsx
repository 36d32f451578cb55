import type { BoardTile, SavedInsight } from '@nimbus-analytics/sdk';
import { Link, useNavigate } from '@tanstack/react-router';
import { Suspense, useEffect, useMemo, useRef, useState, type CSSProperties, type ReactNode } from 'react';
import { date } from '../../format';
import { stateOf } from '../../insights/saved';
import { kindOf, type InsightState } from '../../insights/state';
import { titleOf } from '../../insights/text';
import { views } from '../../insights/views';
import { m } from '../../messages';
import { describeRange } from '../../query/range';
import { Skeleton } from '../../ui';
import { over, useUnfiltered, type Over } from './over';

const chartHeight = 230;

/** Where a tile lies on the grid, as boards.css reads it: not on a narrow screen. */
export const placeOf = ({ x, y, w, h }: BoardTile) => ({ '--column': `${x + 1} / span ${w}`, '--row': `${y + 1} / span ${h}` }) as CSSProperties;

/** An insight on a board, in the range and with the conditions of the board. It asks, and fails, on its own. */
export function Tile({ projectId, insight, of = {}, tools }: { projectId: string; insight: SavedInsight; of?: Over; tools?: ReactNode }) {
  const saved = useMemo(() => stateOf(insight), [insight]);
  if (saved) return <Drawn projectId={projectId} insight={insight} saved={saved} of={of} tools={tools} />;
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

function Drawn({ projectId, insight, saved, of, tools }: { projectId: string; insight: SavedInsight; saved: InsightState; of: Over; tools: ReactNode }) {
  const ref = useRef<HTMLDivElement>(null);
  const seen = useSeen(ref);
  const navigate = useNavigate();
  const missing = useUnfiltered(saved, of.filter);
  const state = useMemo(() => {
    const { filter: _, ...range } = of;
    return over({ ...saved, report: insight.id }, missing.length > 0 ? range : of);
  }, [saved, insight.id, of, missing.length]);
  const View = views[kindOf(state)];
  const go = (to: InsightState) => void navigate({ to: '/projects/$projectId/insights', params: { projectId }, search: to });
  const title = titleOf(state);
  return (
    <>
      <header>
        <div className="grow">
          <h2 className="truncate" title={insight.description || undefined}>
            <Link to="/projects/$projectId/insights" params={{ projectId }} search={state}>{insight.name}</Link>
          </h2>
          <p className="muted small clamp" title={title}>{title} · {describeRange(state, (iso) => date(iso, state.tz))} · {state.tz}</p>
          {missing.length > 0 && <p className="small"><span className="badge warn">{m.boards.unfiltered(missing)}</span></p>}
        </div>
        {tools}
      </header>
      <div ref={ref} className="body">
        {seen ? (
          <Suspense fallback={<Skeleton height={chartHeight} />}>
            <View projectId={projectId} state={state} set={(change) => go({ ...state, ...change } as InsightState)} go={go} tile={chartHeight} />
          </Suspense>
        ) : (
          <Skeleton height={chartHeight} />
        )}
      </div>
    </>
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
