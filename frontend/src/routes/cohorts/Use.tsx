import type { CohortUse } from '@nimbus-analytics/sdk';
import { Link } from '@tanstack/react-router';
import { p } from '../../people/messages';

/** What uses a cohort, as a link to it. */
export function Use({ use, projectId }: { use: CohortUse; projectId: string }) {
  const title = `${p.cohorts.uses[use.kind]}: ${use.name}`;
  switch (use.kind) {
    case 'cohort':
      return <Link title={title} to="/projects/$projectId/cohorts/$cohortId" params={{ projectId, cohortId: use.id }}>{use.name}</Link>;
    case 'board':
      return <Link title={title} to="/projects/$projectId/boards/$boardId" params={{ projectId, boardId: use.id }}>{use.name}</Link>;
    default:
      return <Link title={title} to="/projects/$projectId/reports/$reportId" params={{ projectId, reportId: use.id }}>{use.name}</Link>;
  }
}

export function Uses({ uses, projectId }: { uses: readonly CohortUse[]; projectId: string }) {
  return (
    <ul className="uses">
      {uses.map((use) => (
        <li key={`${use.kind} ${use.id}`} className="row"><span className="badge">{p.cohorts.uses[use.kind]}</span><span className="wrap-any"><Use use={use} projectId={projectId} /></span></li>
      ))}
    </ul>
  );
}
