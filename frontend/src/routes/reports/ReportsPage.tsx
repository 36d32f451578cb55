import { NimbusError, type SavedInsight } from '@nimbus-analytics/sdk';
import { Link, Navigate, useParams } from '@tanstack/react-router';
import { IconBookmark, IconPlus, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import { date } from '../../format';
import { useCan, useProject, useReport, useReports, useTitle } from '../../hooks';
import { m } from '../../messages';
import { zonePref } from '../../prefs';
import { removeInsight } from '../../saved/removal';
import { NotFound } from '../../shell/pages';
import { Button, Empty, Failure, IconButton, Skeleton, TextField } from '../../ui';
import { describeRange } from '../../query/range';
import { stateOf } from '../../insights/saved';
import { titleOf } from '../../insights/text';
import './reports.css';

export function ReportsPage() {
  useTitle(m.reports.title);
  const project = useProject()!;
  const list = useReports(project.id);
  const canEdit = useCan()('admin');
  const [text, setText] = useState('');
  const reports = list.data?.items ?? [];
  const found = reports.filter((r) => `${r.name} ${r.description}`.toLowerCase().includes(text.trim().toLowerCase()));
  const explore = (
    <Link className="button primary" to="/projects/$projectId/insights" params={{ projectId: project.id }}><IconPlus size={16} aria-hidden />{reports.length > 0 ? m.reports.create : m.reports.emptyAction}</Link>
  );
  return (
    <>
      <header className="page-head">
        <h1>{m.reports.title}</h1>
        {reports.length > 0 && canEdit && <div className="end">{explore}</div>}
        <p className="lead">{m.reports.lead}</p>
      </header>
      {!canEdit && <p className="muted small page-note">{m.reports.viewerList}</p>}
      {list.error ? (
        <Failure error={list.error} retry={() => void list.refetch()} />
      ) : !list.data ? (
        <div className="panel stack tight" style={{ padding: 16 }}>{Array.from({ length: 5 }, (_, i) => <Skeleton key={i} height={28} />)}</div>
      ) : reports.length === 0 ? (
        <section className="panel">
          <Empty icon={IconBookmark} title={m.reports.emptyTitle}>
            <p>{canEdit ? m.reports.emptyText : m.reports.emptyViewer}</p>
            {explore}
          </Empty>
        </section>
      ) : (
        <>
          {reports.length > 8 && <div className="find"><TextField label={m.reports.find} type="search" value={text} onChange={(e) => setText(e.target.value)} /></div>}
          {found.length === 0 ? <section className="panel"><Empty icon={IconBookmark} title={m.reports.findNone}><Button onClick={() => setText('')}>{m.events.clear}</Button></Empty></section> : <Table reports={found} projectId={project.id} canEdit={canEdit} />}
        </>
      )}
    </>
  );
}

function summary(insight: SavedInsight): string {
  const state = stateOf(insight);
  if (!state) return m.reports.kinds[insight.question.kind];
  return `${titleOf(state)} · ${describeRange(state, (iso) => date(iso, state.tz))}`;
}

function Table({ reports, projectId, canEdit }: { reports: SavedInsight[]; projectId: string; canEdit: boolean }) {
  const zone = zonePref.use();
  return (
    <div className="panel scroll-x">
      <table className="table">
        <thead>
          <tr>
            <th>{m.reports.name}</th>
            <th className="hide-narrow">{m.reports.question}</th>
            <th className="hide-narrow">{m.reports.changedAt}</th>
            {canEdit && <th><span className="sr">{m.reports.remove}</span></th>}
          </tr>
        </thead>
        <tbody>
          {reports.map((r) => (
            <tr key={r.id}>
              <td className="report-name">
                {stateOf(r) ? <Link to="/projects/$projectId/reports/$reportId" params={{ projectId, reportId: r.id }}><strong>{r.name}</strong></Link> : <strong>{r.name}</strong>}
                {r.description && <div className="muted small">{r.description}</div>}
              </td>
              <td className="muted hide-narrow">{summary(r)}</td>
              <td className="muted num hide-narrow nowrap">{date(r.updated_at, zone)}</td>
              {canEdit && <td className="right"><IconButton label={`${m.reports.remove} ${r.name}`} icon={IconTrash} onClick={() => removeInsight(projectId, r)} /></td>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Redirects the address of an insight to its question as it is saved now. */
export function OpenReport() {
  const project = useProject()!;
  const { reportId } = useParams({ from: '/app/projects/$projectId/reports/$reportId' });
  const report = useReport(project.id, reportId);
  const state = report.data && stateOf(report.data);
  if (report.data && !state) return <Empty icon={IconBookmark} heading="h1" title={report.data.name}><p>{m.reports.otherKind(m.reports.kinds[report.data.question.kind])}</p></Empty>;
  if (report.data && state) return <Navigate to="/projects/$projectId/insights" params={{ projectId: project.id }} search={{ ...state, report: report.data.id }} replace />;
  if (report.error instanceof NimbusError && [404, 422].includes(report.error.status)) return <NotFound />;
  if (report.error) return <Failure error={report.error} retry={() => void report.refetch()} />;
  return <Skeleton height={320} />;
}
