import { listEventsOptions } from '@nimbus-analytics/sdk/react-query';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { IconSearch, IconUsers } from '@tabler/icons-react';
import { ago, dateTime } from '../../format';
import { useProject, useTitle } from '../../hooks';
import { m } from '../../messages';
import { zonePref } from '../../prefs';
import { Button, Empty, Failure, Skeleton } from '../../ui';
import './people.css';

export function PeoplePage() {
  useTitle(m.people.title);
  const project = useProject()!;
  const navigate = useNavigate();
  const zone = zonePref.use();
  const recent = useQuery(listEventsOptions({ query: { project_id: project.id, limit: 500 } }));
  const seen = new Map<string, { name: string; ts: string }>();
  for (const e of recent.data?.items ?? []) if (e.user_id && !seen.has(e.user_id)) seen.set(e.user_id, e);
  return (
    <>
      <header className="page-head">
        <h1>{m.people.title}</h1>
        <p className="lead">{m.people.lead}</p>
      </header>
      <form
        className="find"
        role="search"
        onSubmit={(e) => {
          e.preventDefault();
          const userId = (new FormData(e.currentTarget).get('id') as string).trim();
          if (userId) void navigate({ to: '/projects/$projectId/people/$userId', params: { projectId: project.id, userId } });
        }}
      >
        <input className="input" name="id" aria-label={m.people.search} placeholder={m.people.placeholder} autoComplete="off" spellCheck={false} maxLength={200} />
        <Button kind="primary" type="submit"><IconSearch size={16} aria-hidden />{m.people.find}</Button>
      </form>
      <section className="panel">
        {recent.error && <div className="body"><Failure error={recent.error} retry={() => void recent.refetch()} /></div>}
        {recent.isPending && <div className="body stack tight">{Array.from({ length: 6 }, (_, i) => <Skeleton key={i} height={26} />)}</div>}
        {recent.data && seen.size === 0 && (
          <Empty icon={IconUsers} title={m.people.emptyTitle}>
            <p>{m.people.emptyText}</p>
            <Link className="button primary" to="/projects/$projectId/install" params={{ projectId: project.id }}>{m.overview.emptyAction}</Link>
          </Empty>
        )}
        {seen.size > 0 && (
          <>
            <header><h2>{m.people.recent}</h2></header>
            <table className="table cards long">
                <thead><tr><th>{m.people.person}</th><th>{m.people.lastDid}</th><th className="right">{m.people.lastSeen}</th></tr></thead>
                <tbody>
                  {[...seen].slice(0, 50).map(([id, last]) => (
                    <tr key={id}>
                      <td className="wrap-any"><Link to="/projects/$projectId/people/$userId" params={{ projectId: project.id, userId: id }}>{id}</Link></td>
                      <td className="wrap-any" data-label={m.people.lastDid}>{last.name}</td>
                      <td className="right muted nowrap" data-label={m.people.lastSeen} title={dateTime(last.ts, zone)}>{ago(last.ts)}</td>
                    </tr>
                  ))}
                </tbody>
            </table>
          </>
        )}
      </section>
    </>
  );
}
