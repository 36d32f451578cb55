/** The saved insight behind a question, and what can be done with it: save, save as new, discard changes. */
import { NimbusError, type SavedInsight, type UpdateInsightRequest } from '@nimbus-analytics/sdk';
import { createInsightMutation, updateInsightMutation } from '@nimbus-analytics/sdk/react-query';
import { useMutation } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { IconArrowBackUp, IconBookmark, IconPencil } from '@tabler/icons-react';
import { useState } from 'react';
import { idempotencyKey, sentAgain } from '../../api';
import { refreshSaved, useCan, useTitle } from '../../hooks';
import { m } from '../../messages';
import { Button, Failure, IconButton, Skeleton, toast } from '../../ui';
import { Conflict, ifMatch, isConflict } from '../../saved/Conflict';
import { Naming } from '../../saved/Naming';
import { questionText } from '../../query/question';
import { differs, reportOf, type Explored } from '../../query/report';
import type { ExploreState } from '../../query/search';

export function ReportTitle({ state, report, error, pending }: { state: ExploreState; report: Explored | undefined; error: unknown; pending: boolean }) {
  useTitle(report?.name ?? m.explore.title);
  if (!state.report) return <h1>{m.explore.title}</h1>;
  if (pending) return <><h1 className="sr">{m.explore.title}</h1><Skeleton height={27} width={220} /></>;
  if (!report) {
    const gone = error instanceof NimbusError && error.status === 404;
    return <><h1>{m.explore.title}</h1><span className="badge">{gone ? m.reports.gone : m.reports.unknown}</span></>;
  }
  return (
    <>
      <h1 className="truncate">{report.name}</h1>
      {differs(state, report) && <span className="badge warn" role="status"><span className="dot" />{m.reports.unsaved}</span>}
      {report.description && <p className="lead">{report.description}</p>}
    </>
  );
}

type Saving = 'new' | 'rename';

export function SaveButtons({ projectId, state, report, onSaved }: { projectId: string; state: ExploreState; report: Explored | undefined; onSaved: (id: string) => void }) {
  const canEdit = useCan()('admin');
  const navigate = useNavigate();
  const [open, setOpen] = useState<Saving>();
  const kept = reportOf(state);
  const changed = report !== undefined && differs(state, report);
  // The version that this question began as. The one that is loaded later may be somebody else's, and is not overwritten unasked.
  const [base, setBase] = useState<{ id: string; version: number }>();
  if (report && base?.id !== report.id) setBase(report);
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
  const path = report && { project_id: projectId, insight_id: report.id };
  const change = (body: UpdateInsightRequest, done?: () => void, version = base?.version ?? 1) => path && update.mutate({ path, headers: ifMatch(version), body }, { onSuccess: done });
  const reload = () => {
    setOpen(undefined);
    setBase(report);
    update.reset();
    if (report) void navigate({ to: '/projects/$projectId/reports/$reportId', params: { projectId, reportId: report.id } });
  };
  const conflict = isConflict(update.error) && report && (
    <Conflict
      projectId={projectId}
      by={report.updated_by}
      other={`/projects/${projectId}/reports/${report.id}`}
      busy={update.isPending}
      onReload={reload}
      onOverwrite={() => update.variables && change(update.variables.body, () => setOpen(undefined), report.version)}
    />
  );

  return (
    <>
      {changed && (
        <Link className="button" to="/projects/$projectId/reports/$reportId" params={{ projectId, reportId: report.id }}>
          <IconArrowBackUp size={16} aria-hidden />{m.reports.discard}
        </Link>
      )}
      {canEdit && report && path && (
        <>
          <IconButton label={m.reports.rename} icon={IconPencil} onClick={() => setOpen('rename')} />
          {changed && kept && <Button kind="primary" busy={update.isPending} onClick={() => change(kept)}>{m.reports.update}</Button>}
        </>
      )}
      {canEdit && kept && (
        <Button kind={report ? undefined : 'primary'} onClick={() => setOpen('new')}>
          {!report && <IconBookmark size={16} aria-hidden />}
          {report ? m.reports.saveAs : m.reports.save}
        </Button>
      )}
      {update.error && open === undefined && <div style={{ flex: '0 0 100%' }}>{conflict || <Failure error={update.error} />}</div>}
      {open === 'new' && kept && (
        <Naming
          title={report ? m.reports.saveAsTitle : m.reports.saveTitle}
          placeholder={m.reports.namePlaceholder}
          action={m.save}
          name={report ? '' : questionText(state).slice(0, 100)}
          description={report?.description ?? ''}
          busy={create.isPending}
          error={create.error}
          onClose={() => setOpen(undefined)}
          onSubmit={(named) => create.mutate({ path: { project_id: projectId }, headers: idempotencyKey(), body: { ...named, ...kept } })}
        />
      )}
      {open === 'rename' && report && path && (
        <Naming
          title={m.reports.rename}
          action={m.save}
          name={report.name}
          description={report.description}
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
