/** A question about behaviour with its answer: what all kinds share. */
import type { Coordinate, Insight } from '@nimbus-analytics/sdk';
import { IconDownload, IconInfoCircle, IconPhoto, IconRefresh, IconSearchOff } from '@tabler/icons-react';
import { lazy, Suspense, useMemo, useRef, useState } from 'react';
import { date, number } from '../format';
import { useProject } from '../hooks';
import { downloadCsv } from '../lib/download';
import { m } from '../messages';
import { describeRange } from '../query/range';
import { Button, Empty, Failure, Skeleton } from '../ui';
import { useInsight, type Answers, type Asked } from './ask';
import { bodyOf, isComplete } from './body';
import type { KindView, Set } from './kind';
import { w } from './messages';
import type { BehaviourState, InsightState } from './state';
import { titleOf } from './text';
import './insights.css';

const Behind = lazy(() => import('./Behind'));

/** A file name that says what is in the file. */
const fileName = (title: string, ending: string) => `nimbus-${title.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, '-').slice(0, 120).replace(/-+$/, '')}.${ending}`;

export interface BehaviourProps {
  projectId: string;
  state: BehaviourState;
  set: Set<BehaviourState>;
  go: (to: InsightState) => void;
}

/** The question and the answer of a kind. Who shows it has looked at the state's kind before. */
export function behaviourOf<S extends BehaviourState, A extends Answers[Asked]>(of: KindView<S, A>) {
  const view = of as unknown as View;
  return function Behaviour(props: BehaviourProps) {
    const { state, set } = props;
    const [now, setNow] = useState(Date.now);
    const week = useProject()?.week_start;
    const body = useMemo(() => bodyOf(state, now, week), [state, now, week]);
    return (
      <div className="stack">
        <section className="panel question" aria-label={w.question}><view.Question state={state} set={(change) => set({ at: undefined, ...change })} /></section>
        {isComplete(state) ? (
          <Answer {...props} view={view} body={body} refresh={() => setNow(Date.now())} />
        ) : (
          <section className="panel"><Empty icon={IconSearchOff} title={w.funnel.needsEvents}><p>{w.funnel.needsEventsText}</p></Empty></section>
        )}
      </div>
    );
  };
}

type View = KindView<BehaviourState, Answers[Asked]>;

function Answer({ projectId, state, set, go, view, body, refresh }: BehaviourProps & { view: View; body: Insight; refresh: () => void }) {
  const card = useRef<HTMLElement>(null);
  const { data, error, isFetching, isPlaceholderData, refetch } = useInsight(projectId, body, true);
  const title = titleOf(state);
  const open = (at: Coordinate) => set({ at });
  const empty = data !== undefined && view.isEmpty(data.answer);
  const meta = data?.answer.meta;
  const subtitle = meta && `${describeRange({ from: meta.from, to: meta.to }, (iso) => date(iso, meta.tz))} · ${meta.tz}`;
  const png = () => {
    const svg = card.current?.querySelector<SVGSVGElement>('.plot svg');
    if (svg) void import('../charts/picture').then(({ savePicture }) => savePicture(fileName(title, 'png'), svg, { title, subtitle: subtitle ?? '', series: (data && view.legend?.(data.answer)) ?? [] }));
  };
  return (
    <section ref={card} className="panel answer" aria-label={w.answer} aria-busy={isFetching}>
      <header>
        <h2 className="clamp" title={title}>{title}</h2>
        {isFetching && <span className="spinner" role="status" aria-label={m.loading} />}
        <div className="row wrap end">
          <Button className="tiny" disabled={!data} onClick={() => data && downloadCsv(fileName(title, 'csv'), view.rows(state, data.answer))}><IconDownload size={15} aria-hidden />{m.explore.csv}</Button>
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
            {empty ? <Empty icon={IconSearchOff} title={w.empty}><p>{w.emptyText}</p></Empty> : <view.Answer state={state} answer={data.answer} body={body} title={title} set={set} open={open} />}
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
