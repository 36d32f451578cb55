/** One page for every kind of question: the kind is a switch, and changing it keeps what both kinds understand. */
import { useNavigate, useSearch } from '@tanstack/react-router';
import { lazy, Suspense, type ReactNode } from 'react';
import { useProject, useTitle } from '../../hooks';
import type { BehaviourProps } from '../../insights/Behaviour';
import { w } from '../../insights/messages';
import { asKind, kinds, type BehaviourState, type InsightState } from '../../insights/state';
import { titleOf } from '../../insights/text';
import { m } from '../../messages';
import { RangePicker } from '../../query/RangePicker';
import { CopyButton, Segments, Skeleton } from '../../ui';
import { CodeButton } from './CodeButton';
import { Trends } from './Trends';
import { Undo } from './Undo';
import './insights.css';

const route = '/app/projects/$projectId/insights';
/** Each kind is loaded when it is asked; trends, with which most begin, come with the page. */
const views = {
  funnel: lazy(() => import('../../insights/Funnel')),
  retention: lazy(() => import('../../insights/Retention')),
  lifecycle: lazy(() => import('../../insights/Activity').then((module) => ({ default: module.Lifecycle }))),
  stickiness: lazy(() => import('../../insights/Activity').then((module) => ({ default: module.Stickiness }))),
  paths: lazy(() => import('../../insights/Paths')),
  sessions: lazy(() => import('../../insights/Sessions')),
};

export function InsightsPage() {
  const state: InsightState = useSearch({ from: route });
  const navigate = useNavigate({ from: '/projects/$projectId/insights' });
  const go = (to: InsightState) => void navigate({ search: () => to });
  const kind = (
    <div className="row kinds">
      <div className="scroll-x"><Segments label={w.kind} value={state.kind ?? 'trends'} onChange={(next) => next !== (state.kind ?? 'trends') && go(asKind(state, next))} options={kinds.map((value) => ({ value, label: w.kinds[value] }))} /></div>
      <div className="end hide-narrow"><Undo /></div>
    </div>
  );
  if (state.kind === undefined) return <Trends state={state} set={(change) => void navigate({ search: (s) => ({ ...s, ...change }) as InsightState })} kind={kind} />;
  return <BehaviourPage state={state} set={(change) => void navigate({ search: (s) => ({ ...s, ...change }) as InsightState })} go={go} kind={kind} />;
}

function BehaviourPage({ state, set, go, kind }: { state: BehaviourState; set: (change: Partial<BehaviourState>) => void; go: (to: InsightState) => void; kind: ReactNode }) {
  const project = useProject()!;
  const View = views[state.kind];
  useTitle(titleOf(state));
  return (
    <>
      <header className="page-head">
        <h1>{m.explore.title}</h1>
        <div className="row wrap end">
          <RangePicker range={state} zone={state.tz} onChange={(r) => set({ range: undefined, from: undefined, to: undefined, at: undefined, ...r } as Partial<BehaviourState>)} />
          <CopyButton className="" text={location.href} label={m.explore.share} />
          <CodeButton projectId={project.id} state={state} />
        </div>
      </header>
      {kind}
      <Suspense fallback={<Skeleton height={420} />}>
        <View projectId={project.id} state={state} set={set as BehaviourProps['set']} go={go} />
      </Suspense>
    </>
  );
}
