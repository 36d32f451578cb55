/** One cohort: who is in it, how many that are, what uses it. Its conditions are in the address until they are saved. */
import { changeCohortPeople, createCohort, NimbusError, type Cohort, type CohortKind, type UpdateCohortRequest } from '@nimbus-analytics/sdk';
import { getCohortOptions, updateCohortMutation } from '@nimbus-analytics/sdk/react-query';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { IconArrowBackUp, IconArrowLeft, IconChartLine, IconPencil, IconTrash, IconUserCheck } from '@tabler/icons-react';
import { useState, type ReactNode } from 'react';
import { idempotencyKey } from '../../api';
import { refreshCohorts, useCan, useProject, useSteps, useTitle } from '../../hooks';
import { m } from '../../messages';
import { complete, isSame, parseClause, type Draft } from '../../people/clause';
import { ClauseEditor } from '../../people/ClauseEditor';
import { idsIn } from '../../people/ids';
import { p } from '../../people/messages';
import type { CohortState } from '../../people/search';
import { Conflict, ifMatch, isConflict } from '../../saved/Conflict';
import { Naming, type Named } from '../../saved/Naming';
import { Button, Empty, Failure, IconButton, Segments, Skeleton, toast } from '../../ui';
import { Export } from './Export';
import { IdsField, ListPanel } from './List';
import { Removal } from './Removal';
import { ListSize, LiveSize, Trending } from './Size';
import { Uses } from './Use';
import './cohorts.css';

function Back({ projectId }: { projectId: string }) {
  return <p className="back"><Link className="row muted small" to="/projects/$projectId/cohorts" params={{ projectId }}><IconArrowLeft size={15} aria-hidden />{p.cohort.back}</Link></p>;
}

/** Changes the address; changes that follow each other at once are one step back. */
function useChange() {
  const navigate = useNavigate();
  const replaces = useSteps();
  return (change: { [K in keyof CohortState]?: CohortState[K] | undefined }) =>
    void navigate({ to: '.', search: ((s: CohortState) => ({ ...s, ...change })) as never, replace: replaces(), resetScroll: false });
}

export function NewCohortPage() {
  useTitle(p.cohort.newTitle);
  const project = useProject()!;
  const navigate = useNavigate();
  const { where, kind = 'live' } = useSearch({ from: '/app/projects/$projectId/cohorts/new' });
  const set = useChange();
  const canEdit = useCan()('admin');
  const [ids, setIds] = useState('');
  const [naming, setNaming] = useState(false);
  const [begun, setBegun] = useState<Cohort>(); // a second try goes on with the cohort that the first one made
  const asked = complete(where);
  const create = useMutation({
    mutationFn: async (named: Named) => {
      const body = { ...named, kind, ...(kind === 'live' && asked && { where: asked }) };
      const made = begun ?? (await createCohort({ path: { project_id: project.id }, headers: idempotencyKey(), body, throwOnError: true })).data;
      if (kind === 'fixed') setBegun(made);
      const list = kind === 'fixed' ? idsIn(ids) : undefined;
      if (list) await changeCohortPeople({ path: { project_id: project.id, cohort_id: made.id }, body: { mode: 'replace', ...list }, throwOnError: true });
      return made;
    },
    onSuccess: async (made) => {
      await refreshCohorts();
      toast(p.cohort.made(made.name));
      void navigate({ to: '/projects/$projectId/cohorts/$cohortId', params: { projectId: project.id, cohortId: made.id } });
    },
  });
  return (
    <>
      <Back projectId={project.id} />
      <header className="page-head">
        <h1>{p.cohort.newTitle}</h1>
        {canEdit && <div className="end"><Button kind="primary" disabled={kind === 'live' ? asked === undefined : idsIn(ids) === undefined} onClick={() => setNaming(true)}>{p.cohort.save}</Button></div>}
      </header>
      {!canEdit && <p className="muted small page-note">{p.cohorts.viewer}</p>}
      <div className="cohort">
        <section className="panel" aria-label={p.cohort.conditions}>
          <header>
            <h2>{p.cohort.conditions}</h2>
            <span className="end"><Segments<CohortKind> label={p.cohort.kind} value={kind} options={(['live', 'fixed'] as const).map((value) => ({ value, label: p.cohorts.kinds[value] }))} onChange={(next) => set({ kind: next === 'fixed' ? next : undefined })} /></span>
          </header>
          <div className="body stack">
            <p className="muted small">{kind === 'live' ? p.cohort.livingHint : p.cohort.fixedHint}</p>
            {kind === 'live' ? <ClauseEditor where={where} onChange={(next) => set({ where: next })} /> : <IdsField value={ids} onChange={setIds} />}
          </div>
        </section>
        {kind === 'live' && <LiveSize projectId={project.id} where={where} />}
      </div>
      {naming && <Naming title={p.cohort.saveTitle} placeholder={p.cohort.namePlaceholder} action={m.save} name="" description="" busy={create.isPending} error={create.error} onClose={() => setNaming(false)} onSubmit={(named) => create.mutate(named)} />}
    </>
  );
}

export function CohortPage() {
  const { cohortId } = useParams({ from: '/app/projects/$projectId/cohorts/$cohortId' });
  const project = useProject()!;
  const query = useQuery(getCohortOptions({ path: { project_id: project.id, cohort_id: cohortId } }));
  useTitle(query.data?.name ?? p.cohorts.title);
  const gone = query.error instanceof NimbusError && [404, 422].includes(query.error.status);
  return (
    <>
      <Back projectId={project.id} />
      {gone ? (
        <section className="panel"><Empty icon={IconUserCheck} heading="h1" title={p.cohort.notFound}><p>{p.cohort.notFoundText}</p></Empty></section>
      ) : query.data ? (
        <Saved key={query.data.id} cohort={query.data} projectId={project.id} />
      ) : (
        <>
          <h1 className="sr">{p.cohorts.title}</h1>
          {query.error ? <Failure error={query.error} retry={() => void query.refetch()} /> : <Skeleton height={320} />}
        </>
      )}
    </>
  );
}

function Saved({ cohort, projectId }: { cohort: Cohort; projectId: string }) {
  const navigate = useNavigate();
  const state = useSearch({ from: '/app/projects/$projectId/cohorts/$cohortId' });
  const set = useChange();
  const canEdit = useCan()('admin');
  const [open, setOpen] = useState<'rename' | 'remove'>();
  const saved = parseClause(cohort.where);
  const where = state.where ?? saved;
  const changed = cohort.kind === 'live' && !isSame(where, saved);
  const change = (next: Draft | undefined) => set({ where: next === undefined || isSame(next, saved) ? undefined : next });
  // The version that this page began with. One that is loaded later may be somebody else's, and is not overwritten unasked.
  const [base, setBase] = useState(cohort.version);
  const path = { project_id: projectId, cohort_id: cohort.id };
  const update = useMutation({
    ...updateCohortMutation(),
    onSuccess: async (now: Cohort) => {
      setBase(now.version);
      await refreshCohorts();
      toast(p.cohort.updated);
    },
    onError: (error) => isConflict(error) && refreshCohorts(),
  });
  const save = (body: UpdateCohortRequest, version = base) =>
    update.mutate({ path, headers: ifMatch(version), body }, {
      onSuccess: () => {
        setOpen(undefined);
        if (body.where) set({ where: undefined });
      },
    });
  const reload = () => {
    setOpen(undefined);
    setBase(cohort.version);
    update.reset();
    set({ where: undefined });
  };
  const conflict = isConflict(update.error) && (
    <Conflict projectId={projectId} by={cohort.updated_by} other={`/projects/${projectId}/cohorts/${cohort.id}`} busy={update.isPending} onReload={reload} onOverwrite={() => update.variables && save(update.variables.body, cohort.version)} />
  );
  const asked = complete(where);
  return (
    <>
      <header className="page-head">
        <h1 className="truncate">{cohort.name}</h1>
        <span className="badge">{p.cohorts.kinds[cohort.kind]}</span>
        {changed && <span className="badge warn" role="status"><span className="dot" />{p.cohort.unsaved}</span>}
        <div className="row wrap end">
          {changed && <Button onClick={() => set({ where: undefined })}><IconArrowBackUp size={16} aria-hidden />{p.cohort.discard}</Button>}
          {canEdit && changed && <Button kind="primary" busy={update.isPending} disabled={asked === undefined} onClick={() => asked && save({ where: asked })}>{p.cohort.update}</Button>}
          <Link className="button" to="/projects/$projectId/insights" params={{ projectId }} search={{ kind: 'lifecycle', cohort: cohort.id } as never}><IconChartLine size={16} aria-hidden />{p.cohort.ask}</Link>
          <Export cohort={cohort} projectId={projectId} />
          {canEdit && (
            <>
              <IconButton label={p.cohort.rename} icon={IconPencil} onClick={() => setOpen('rename')} />
              <IconButton label={p.cohorts.remove} icon={IconTrash} onClick={() => setOpen('remove')} />
            </>
          )}
        </div>
        {cohort.description && <p className="lead">{cohort.description}</p>}
      </header>
      {!canEdit && <p className="muted small page-note">{p.cohorts.viewer}</p>}
      {update.error && open === undefined && <div className="page-note">{conflict || <Failure error={update.error} />}</div>}
      <div className="cohort">
        <div className="stack">
          {cohort.kind === 'live' ? (
            <section className="panel" aria-label={p.cohort.conditions}>
              <header><h2>{p.cohort.conditions}</h2></header>
              <div className="body stack">
                <p className="muted small">{p.cohort.livingHint}</p>
                <ClauseEditor where={where} onChange={change} own={cohort.id} />
              </div>
            </section>
          ) : (
            <ListPanel cohort={cohort} projectId={projectId} onChanged={setBase} />
          )}
          <UsedBy cohort={cohort} projectId={projectId} />
        </div>
        {cohort.kind === 'live' ? (
          <LiveSize projectId={projectId} where={where}>{!changed && <Trending projectId={projectId} cohortId={cohort.id} />}</LiveSize>
        ) : (
          <ListSize projectId={projectId} cohortId={cohort.id} listed={cohort.listed ?? 0} />
        )}
      </div>
      {open === 'rename' && <Naming title={p.cohort.rename} action={m.save} name={cohort.name} description={cohort.description} busy={update.isPending} error={update.error} conflict={conflict} onClose={() => setOpen(undefined)} onSubmit={(named) => save(named)} />}
      {open === 'remove' && <Removal cohort={cohort} projectId={projectId} onClose={() => setOpen(undefined)} onRemoved={() => void navigate({ to: '/projects/$projectId/cohorts', params: { projectId } })} />}
    </>
  );
}

function UsedBy({ cohort, projectId }: { cohort: Cohort; projectId: string }): ReactNode {
  const uses = cohort.used_by ?? [];
  return (
    <section className="panel" aria-labelledby="used-by">
      <header><h2 id="used-by">{p.cohort.usedBy}</h2></header>
      <div className="body">{uses.length === 0 ? <p className="muted">{p.cohort.unused}</p> : <Uses uses={uses} projectId={projectId} />}</div>
    </section>
  );
}
