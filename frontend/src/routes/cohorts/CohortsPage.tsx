/** The cohorts of a project: how many people each has, and what uses it. */
import type { Cohort } from '@nimbus-analytics/sdk';
import { getCohortOptions, getCohortSizeOptions } from '@nimbus-analytics/sdk/react-query';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { IconPlus, IconTrash, IconUserCheck } from '@tabler/icons-react';
import { useState } from 'react';
import { date, number } from '../../format';
import { useCan, useCohorts, useProject, useTitle } from '../../hooks';
import { p } from '../../people/messages';
import { zonePref } from '../../prefs';
import { Button, Empty, Failure, IconButton, Skeleton, TextField } from '../../ui';
import { Removal } from './Removal';
import { Use } from './Use';
import './cohorts.css';

/** Each row asks for the size of its cohort, which is a question: as many as one looks at. */
const perPage = 25;

export function CohortsPage() {
  useTitle(p.cohorts.title);
  const project = useProject()!;
  const list = useCohorts(project.id);
  const canEdit = useCan()('admin');
  const [text, setText] = useState('');
  const [shown, setShown] = useState(perPage);
  const [removing, setRemoving] = useState<Cohort>();
  const cohorts = list.data?.items ?? [];
  const found = cohorts.filter((one) => `${one.name} ${one.description}`.toLowerCase().includes(text.trim().toLowerCase()));
  const create = canEdit && <Link className="button primary" to="/projects/$projectId/cohorts/new" params={{ projectId: project.id }}><IconPlus size={16} aria-hidden />{p.cohorts.create}</Link>;
  return (
    <>
      <header className="page-head">
        <h1>{p.cohorts.title}</h1>
        {cohorts.length > 0 && <div className="end">{create}</div>}
        <p className="lead">{p.cohorts.lead}</p>
      </header>
      {!canEdit && <p className="muted small page-note">{p.cohorts.viewer}</p>}
      {list.error ? (
        <Failure error={list.error} retry={() => void list.refetch()} />
      ) : !list.data ? (
        <div className="panel stack tight skeletons">{Array.from({ length: 5 }, (_, i) => <Skeleton key={i} height={34} />)}</div>
      ) : cohorts.length === 0 ? (
        <section className="panel"><Empty icon={IconUserCheck} title={p.cohorts.emptyTitle}><p>{canEdit ? p.cohorts.emptyText : p.cohorts.emptyViewer}</p>{create}</Empty></section>
      ) : (
        <>
          {cohorts.length > 8 && <div className="find"><TextField label={p.cohorts.find} type="search" value={text} onChange={(e) => setText(e.target.value)} /></div>}
          {found.length === 0 ? (
            <section className="panel"><Empty icon={IconUserCheck} title={p.cohorts.findNone}><Button onClick={() => setText('')}>{p.cohorts.clear}</Button></Empty></section>
          ) : (
            <section className="panel" aria-label={p.cohorts.title}>
              <table className="table cards cohorts">
                <thead>
                  <tr>
                    <th>{p.cohorts.name}</th>
                    <th>{p.cohorts.kind}</th>
                    <th className="right">{p.cohorts.size}</th>
                    <th>{p.cohorts.usedBy}</th>
                    <th className="right">{p.cohorts.changed}</th>
                    {canEdit && <th><span className="sr">{p.cohorts.remove}</span></th>}
                  </tr>
                </thead>
                <tbody>
                  {found.slice(0, shown).map((cohort) => <Row key={cohort.id} cohort={cohort} projectId={project.id} onRemove={canEdit ? () => setRemoving(cohort) : undefined} />)}
                </tbody>
              </table>
              {found.length > shown && <div className="body"><Button onClick={() => setShown(shown + perPage)}>{p.cohorts.more}</Button></div>}
            </section>
          )}
        </>
      )}
      {removing && <Removal cohort={removing} projectId={project.id} onClose={() => setRemoving(undefined)} onRemoved={() => setRemoving(undefined)} />}
    </>
  );
}

const fewUses = 2;

function Row({ cohort, projectId, onRemove }: { cohort: Cohort; projectId: string; onRemove: (() => void) | undefined }) {
  const zone = zonePref.use();
  const path = { project_id: projectId, cohort_id: cohort.id };
  const size = useQuery(getCohortSizeOptions({ path }));
  const whole = useQuery(getCohortOptions({ path }));
  const uses = whole.data?.used_by ?? [];
  return (
    <tr>
      <td className="cohort-name">
        <Link to="/projects/$projectId/cohorts/$cohortId" params={{ projectId, cohortId: cohort.id }}><strong>{cohort.name}</strong></Link>
        {cohort.description && <div className="muted small">{cohort.description}</div>}
      </td>
      <td data-label={p.cohorts.kind}><span className="badge">{p.cohorts.kinds[cohort.kind]}</span></td>
      <td className="right" data-label={p.cohorts.size} aria-busy={size.isPending}>{size.data ? number(size.data.size) : size.error ? <span title={size.error.detail ?? size.error.title}>–</span> : <span className="inline-skeleton"><Skeleton height={16} width={44} /></span>}</td>
      <td data-label={p.cohorts.usedBy} className="muted">
        {whole.data && (uses.length === 0 ? p.cohorts.nothing : uses.slice(0, fewUses).map((use, i) => <span key={use.id}>{i > 0 && ', '}<Use use={use} projectId={projectId} /></span>))}
        {uses.length > fewUses && ` ${p.cohorts.moreUses(uses.length - fewUses)}`}
      </td>
      <td className="right muted nowrap" data-label={p.cohorts.changed}>{date(cohort.updated_at, zone)}</td>
      {onRemove && <td className="right"><IconButton label={`${p.cohorts.remove} ${cohort.name}`} icon={IconTrash} onClick={onRemove} /></td>}
    </tr>
  );
}
