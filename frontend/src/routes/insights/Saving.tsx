/** The saved insight behind a question, and what can be done with it: save, save as new, discard changes. */
import { NimbusError, type SavedInsight, type UpdateInsightRequest } from '@nimbus-analytics/sdk';
import { createInsightMutation, updateInsightMutation } from '@nimbus-analytics/sdk/react-query';
import { useMutation } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { IconArrowBackUp, IconBookmark, IconPencil } from '@tabler/icons-react';
import { useState } from 'react';
import { idempotencyKey, sentAgain } from '../../api';
import { refreshSaved, useCan, useProject, useTitle } from '../../hooks';
import { m } from '../../messages';
import { Button, Failure, IconButton, Skeleton, toast } from '../../ui';
import { Conflict, ifMatch, isConflict } from '../../saved/Conflict';
import { Naming } from '../../saved/Naming';
import { differs, keptOf } from '../../insights/keeping';
import type { InsightState } from '../../insights/state';
import { titleOf } from '../../insights/text';

export function InsightTitle({ state, insight, error, pending }: { state: InsightState; insight: SavedInsight | undefined; error: unknown; pending: boolean }) {
  useTitle(insight?.name ?? titleOf(state));
  if (!state.report) return <h1>{m.explore.title}</h1>;
  if (pending) return <><h1 className="sr">{m.explore.title}</h1><Skeleton height={27} width={220} /></>;
  if (!insight) {
    const gone = error instanceof NimbusError && error.status === 404;
    return <><h1>{m.explore.title}</h1><span className="badge">{gone ? m.reports.gone : m.reports.unknown}</span></>;
  }
  return (
    <>
      <h1 className="truncate">{insight.name}</h1>
      {differs(state, insight) && <span className="badge warn" role="status"><span className="dot" />{m.reports.unsaved}</span>}
      {insight.description && <p className="lead">{insight.description}</p>}
    </>
  );
}

type Saving = 'new' | 'rename';

export function SaveButtons({ projectId, state, insight, onSaved }: { projectId: string; state: InsightState; insight: SavedInsight | undefined; onSaved: (id: string) => void }) {
  const canEdit = useCan()('admin');
  const navigate = useNavigate();
  const [open, setOpen] = useState<Saving>();
  const week = useProject()?.week_start;
  const [now] = useState(Date.now);
  const kept = keptOf(state, now, week);
  const changed = insight !== undefined && differs(state, insight);
  // The version that this question began as. The one that is loaded later may be somebody else's, and is not overwritten unasked.
  const [base, setBase] = useState<{ id: string; version: number }>();
  if (insight && base?.id !== insight.id) setBase(insight);
  const update = useMutation({
    ...updateInsightMutation(),
    onSuccess: async (saved) => {
      setBase(saved);
      await refreshSaved();
      toast(m.reports.updated);
    },
    onError: (error) => isConflict(error) && refreshSaved(), // the other version, and whose it is
  });
  const create = useMutation({
    ...createInsightMutation(),
    ...sentAgain,
    onSuccess: async (made: SavedInsight) => {
      await refreshSaved();
      setOpen(undefined);
      toast(m.reports.saved(made.name));
      onSaved(made.id);
    },
  });
  const path = insight && { project_id: projectId, insight_id: insight.id };
  const change = (body: UpdateInsightRequest, done?: () => void, version = base?.version ?? 1) => path && update.mutate({ path, headers: ifMatch(version), body }, { onSuccess: done });
  const reload = () => {
    setOpen(undefined);
    setBase(insight);
    update.reset();
    if (insight) void navigate({ to: '/projects/$projectId/reports/$reportId', params: { projectId, reportId: insight.id } });
  };
  const conflict = isConflict(update.error) && insight && (
    <Conflict
      projectId={projectId}
      by={insight.updated_by}
      other={`/projects/${projectId}/reports/${insight.id}`}
      busy={update.isPending}
      onReload={reload}
      onOverwrite={() => update.variables && change(update.variables.body, () => setOpen(undefined), insight.version)}
    />
  );

  return (
    <>
      {changed && (
        <Link className="button" to="/projects/$projectId/reports/$reportId" params={{ projectId, reportId: insight.id }}>
          <IconArrowBackUp size={16} aria-hidden />{m.reports.discard}
        </Link>
      )}
      {canEdit && insight && path && (
        <>
          <IconButton label={m.reports.rename} icon={IconPencil} onClick={() => setOpen('rename')} />
          {changed && kept && <Button kind="primary" busy={update.isPending} onClick={() => change(kept)}>{m.reports.update}</Button>}
        </>
      )}
      {canEdit && kept && (
        <Button kind={insight ? undefined : 'primary'} onClick={() => setOpen('new')}>
          {!insight && <IconBookmark size={16} aria-hidden />}
          {insight ? m.reports.saveAs : m.reports.save}
        </Button>
      )}
      {update.error && open === undefined && <div style={{ flex: '0 0 100%' }}>{conflict || <Failure error={update.error} />}</div>}
      {open === 'new' && kept && (
        <Naming
          title={insight ? m.reports.saveAsTitle : m.reports.saveTitle}
          placeholder={m.reports.namePlaceholder}
          action={m.save}
          name={insight ? '' : titleOf(state).slice(0, 100)}
          description={insight?.description ?? ''}
          busy={create.isPending}
          error={create.error}
          onClose={() => setOpen(undefined)}
          onSubmit={(named) => create.mutate({ path: { project_id: projectId }, headers: idempotencyKey(), body: { ...named, ...kept } })}
        />
      )}
      {open === 'rename' && insight && path && (
        <Naming
          title={m.reports.rename}
          action={m.save}
          name={insight.name}
          description={insight.description}
          busy={update.isPending}
          error={update.error}
          conflict={conflict}
          onClose={() => setOpen(undefined)}
          onSubmit={(named) => change(named, () => setOpen(undefined))}
        />
      )}
    </>
  );
}

/** Tells a viewer why there are no buttons to save. */
export function ViewerNote() {
  if (useCan()('admin')) return null;
  return <p className="muted small page-note">{m.reports.viewer}</p>;
}
