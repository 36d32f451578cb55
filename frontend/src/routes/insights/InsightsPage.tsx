/** One page for every kind of question: the kind is a switch, and changing it keeps what both kinds understand. */
import { useNavigate, useSearch } from '@tanstack/react-router';
import { IconFlag, IconZoomOut } from '@tabler/icons-react';
import { lazy, Suspense, useState } from 'react';
import { useProject, useReport } from '../../hooks';
import { asKind } from '../../insights/kinds';
import { w } from '../../insights/messages';
import { kindOf, kinds, type InsightState } from '../../insights/state';
import { unzoomed } from '../../insights/trends';
import { views } from '../../insights/views';
import { m } from '../../messages';
import { RangePicker } from '../../query/RangePicker';
import { Button, CopyButton, IconButton, Segments, Skeleton } from '../../ui';
import { CodeButton } from './CodeButton';
import { InsightTitle, SaveButtons, ViewerNote } from './Saving';
import { Undo } from './Undo';
import './insights.css';

const Annotations = lazy(() => import('./Annotations'));

const route = '/app/projects/$projectId/insights';

export function InsightsPage() {
  const project = useProject()!;
  const state: InsightState = useSearch({ from: route });
  const navigate = useNavigate({ from: '/projects/$projectId/insights' });
  const go = (to: InsightState) => void navigate({ search: () => to });
  const set = (change: object) => void navigate({ search: (s) => ({ ...s, ...change }) as InsightState });
  const kept = useReport(project.id, state.report);
  const [annotates, setAnnotates] = useState(false);
  const kind = kindOf(state);
  const View = views[kind];
  const unzoom = state.kind === undefined && state.unzoom ? state : undefined;
  return (
    <>
      <header className="page-head">
        <InsightTitle state={state} insight={kept.data} error={kept.error} pending={kept.isPending} />
        <div className="row wrap end">
          {unzoom && <Button onClick={() => set(unzoomed(unzoom))}><IconZoomOut size={16} aria-hidden />{m.explore.zoomOut}</Button>}
          <RangePicker range={state} zone={state.tz} onChange={(r) => set({ range: undefined, from: undefined, to: undefined, at: undefined, ...(state.kind === undefined && { bucket: undefined, unzoom: undefined }), ...r })} />
          <CopyButton className="" text={location.href} label={m.explore.share} />
          <CodeButton projectId={project.id} state={state} />
          <SaveButtons projectId={project.id} state={state} insight={kept.data} onSaved={(id) => set({ report: id })} />
        </div>
      </header>
      <ViewerNote />
      <div className="row kinds">
        <div className="scroll-x"><Segments label={w.kind} value={kind} onChange={(next) => next !== kind && go(asKind(state, next))} options={kinds.map((value) => ({ value, label: w.kinds[value] }))} /></div>
        <div className="row end hide-narrow" style={{ gap: 2 }}><IconButton label={w.notes.title} icon={IconFlag} onClick={() => setAnnotates(true)} /><Undo /></div>
      </div>
      {annotates && <Suspense fallback={null}><Annotations projectId={project.id} zone={state.tz} onClose={() => setAnnotates(false)} /></Suspense>}
      <Suspense fallback={<Skeleton height={420} />}>
        <View projectId={project.id} state={state} set={set} go={go} />
      </Suspense>
    </>
  );
}
