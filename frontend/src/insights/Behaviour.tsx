/** A question about behaviour with its answer: what all kinds share. */
import type { Coordinate, Insight } from '@nimbus-analytics/sdk';
import { IconDownload, IconInfoCircle, IconPhoto, IconRefresh, IconSearchOff } from '@tabler/icons-react';
import { lazy, Suspense, useEffect, useEffectEvent, useMemo, useRef, useState } from 'react';
import { date, number } from '../format';
import { useProject } from '../hooks';
import { downloadCsv } from '../lib/download';
import { m } from '../messages';
import { describeRange } from '../query/range';
import { Button, Empty, Failure, Skeleton } from '../ui';
import { beforeOf, type Span } from './against';
import { useInsight, type Answers, type Asked } from './ask';
import { bodyOf, isComplete } from './body';
import type { KindView, Set } from './kind';
import { w } from './messages';
import { parseInsight, type InsightState } from './state';
import { fileName, titleOf } from './text';
import './insights.css';

const minute = 60_000;
const Behind = lazy(() => import('./Behind'));

export interface BehaviourProps {
  projectId: string;
  state: InsightState;
  set: Set<InsightState>;
  go: (to: InsightState) => void;
  /** On a board, the height of the drawing: only the answer is shown, anew each minute, and a number leads to the page for it. */
  tile?: number;
}

/** The question and the answer of a kind. Who shows it has looked at the state's kind before. */
export function behaviourOf<S extends InsightState, A extends Answers[Asked]>(of: KindView<S, A>) {
  const view = of as unknown as View;
  return function Behaviour(props: BehaviourProps) {
    const { state, set } = props;
    const [now, setNow] = useState(Date.now);
    const week = useProject()?.week_start;
    const body = useMemo(() => bodyOf(state, now, week), [state, now, week]);
    const before = useMemo(() => beforeOf(state, body, now, week), [state, body, now, week]);
    if (props.tile !== undefined) return <Tile {...props} tile={props.tile} view={view} body={body} before={before} refresh={() => setNow(Date.now())} />;
    return (
      <div className="stack">
        <section className="panel question" aria-label={w.question}><view.Question state={state} set={(change) => set({ at: undefined, ...change })} /></section>
        {isComplete(state) ? (
          <Answer {...props} view={view} body={body} before={before} refresh={() => setNow(Date.now())} />
        ) : (
          <section className="panel"><Empty icon={IconSearchOff} title={(view.incomplete ?? needsEvents).title}><p>{(view.incomplete ?? needsEvents).text}</p></Empty></section>
        )}
      </div>
    );
  };
}

const needsEvents = { title: w.funnel.needsEvents, text: w.funnel.needsEventsText };

/** The answer on a board. */
function Tile({ projectId, state, go, tile, view, body, before, refresh }: BehaviourProps & { tile: number; view: View; body: Insight; before: Span | undefined; refresh: () => void }) {
  const { data, error, isFetching, refetch } = useInsight(projectId, body, before, { refetchInterval: minute });
  const next = useEffectEvent(refresh);
  // Tomorrow the last seven days are others.
  useEffect(() => {
    const timer = setInterval(next, minute);
    return () => clearInterval(timer);
  }, []);
  return (
    <div className="stack tight tile-answer" aria-busy={isFetching}>
      {error ? (
        <Failure error={error} retry={() => void refetch()} />
      ) : !data ? (
        <><Skeleton height={34} width={140} /><Skeleton height={tile} /></>
      ) : view.isEmpty(data.answer, state) ? (
        <p className="muted tile-quiet">{m.boards.quiet}</p>
      ) : (
        <view.Answer state={state} answer={data.answer} body={body} title={titleOf(state)} set={(change) => go({ ...state, ...change } as InsightState)} open={(at) => go({ ...state, at })} tile={tile} />
      )}
    </div>
  );
}

type View = KindView<InsightState, Answers[Asked]>;

function Answer({ projectId, state, set, go, view, body, before, refresh }: BehaviourProps & { view: View; body: Insight; before: Span | undefined; refresh: () => void }) {
  const card = useRef<HTMLElement>(null);
  const { data, error, isFetching, isPlaceholderData, refetch } = useInsight(projectId, body, before);
  const title = titleOf(state);
  const open = (at: Coordinate) => set({ at });
  const empty = data !== undefined && view.isEmpty(data.answer, state);
  const meta = data?.answer.meta;
  const subtitle = meta && `${describeRange({ from: meta.from, to: meta.to }, (iso) => date(iso, meta.tz))} · ${meta.tz}`;
  const png = () => {
    const svg = card.current?.querySelector<SVGSVGElement>('.plot svg');
    if (svg) void import('../charts/picture').then(({ savePicture }) => savePicture(fileName(title, 'png'), svg, { title, subtitle: subtitle ?? '', series: (data && view.legend?.(data.answer, state)) ?? [] }));
  };
  return (
    <section ref={card} className="panel answer" aria-label={w.answer} aria-busy={isFetching}>
      <header>
        <h2 className="clamp" title={title}>{title}</h2>
        {isFetching && <span className="spinner" role="status" aria-label={m.loading} />}
        <div className="row wrap end">
          <Button className="tiny" disabled={!data} onClick={() => data && downloadCsv(fileName(title, 'csv'), view.rows(state, data.answer, title))}><IconDownload size={15} aria-hidden />{m.explore.csv}</Button>
          <Button className="tiny hide-narrow" disabled={!data || empty} onClick={png}><IconPhoto size={15} aria-hidden />{m.explore.png}</Button>
          <Button
            kind="quiet"
            className="icon hide-narrow"
            aria-label={m.events.refresh}
            title={m.events.refresh}
            onClick={() => {
              refresh();
              void refetch();
            }}
          >
            <IconRefresh size={17} aria-hidden />
          </Button>
        </div>
      </header>
      <div className="body stack">
        {error ? (
          <Failure error={error} retry={() => void refetch()} />
        ) : !data ? (
          <div className="stack"><Skeleton height={44} width={180} /><Skeleton height={300} /></div>
        ) : (
          <div className={isPlaceholderData ? 'stale stack' : 'stack'}>
            {empty ? <Empty icon={IconSearchOff} title={w.empty}><p>{w.emptyText}</p><Button onClick={() => go(parseInsight({ kind: state.kind, range: '90d', tz: state.tz }))}>{m.explore.reset}</Button></Empty> : <view.Answer state={state} answer={data.answer} body={body} title={title} set={set} open={open} />}
            <p className="small muted">{w.meta(data.answer.meta.took_ms.toFixed(1), number(data.answer.meta.scanned))} · {subtitle}</p>
            <p className="small muted definition"><IconInfoCircle size={15} aria-hidden /><span><span className="sr">{w.definition}: </span>{data.answer.meta.definition}</span></p>
          </div>
        )}
      </div>
      {state.at && data && !isPlaceholderData && (
        <Suspense fallback={null}>
          <Behind
            projectId={projectId}
            question={{ ...body, as_of: data.answer.meta.as_of }}
            at={state.at}
            title={view.behind(state, data.answer, state.at)}
            zone={state.tz}
            again={view.again?.(state) ?? false}
            actions={view.actions?.(state, state.at, go)}
            onClose={() => set({ at: undefined })}
          />
        </Suspense>
      )}
    </section>
  );
}
