import type { ProjectWithSecret } from '@nimbus-analytics/sdk';
import { createProjectMutation } from '@nimbus-analytics/sdk/react-query';
import { useInfiniteQuery, useMutation } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { idempotencyKey, reloadProjects, sentAgain } from '../../api';
import { date } from '../../format';
import { projectsOptions, useProjects, useTitle } from '../../hooks';
import { m } from '../../messages';
import { browserZone, zonePref } from '../../prefs';
import { Button, Failure, fieldsOf, TextField } from '../../ui';
import { keepSecret } from '../../secret';
import './projects.css';

export function ProjectsPage() {
  useTitle(m.projects.title);
  const [text, setText] = useState('');
  // All pages are loaded only for a search.
  const projects = useProjects({ all: text !== '' });
  const { hasNextPage, isFetching, fetchNextPage } = useInfiniteQuery(projectsOptions);
  const zone = zonePref.use();
  const wanted = text.trim().toLowerCase();
  const found = projects.filter((p) => `${p.name} ${p.description}`.toLowerCase().includes(wanted));
  if (projects.length === 0) return <NewProjectPage />;
  return (
    <>
      <header className="page-head">
        <h1>{m.projects.title}</h1>
        <div className="row end">
          {projects.length > 10 && <input className="input find-project" type="search" aria-label={m.projects.find} placeholder={m.projects.find} value={text} onChange={(e) => setText(e.target.value)} />}
          <Link className="button primary" to="/projects/new"><IconPlus size={16} aria-hidden /> {m.nav.newProject}</Link>
        </div>
      </header>
      <div className="panel">
        <table className="table cards long projects">
          <thead>
            <tr><th>{m.projects.name}</th><th>{m.members.role}</th><th>{m.settings.description}</th><th>{m.projects.created}</th></tr>
          </thead>
          <tbody>
            {found.map((p) => (
              <tr key={p.id}>
                <td className="wrap-any"><Link to="/projects/$projectId" params={{ projectId: p.id }}><strong>{p.name}</strong></Link></td>
                <td><span className="badge">{m.projects.role[p.role]}</span></td>
                <td className="muted"><span className="clamp" title={p.description}>{p.description}</span></td>
                <td className="muted num" data-label={m.projects.created}>{date(p.created_at, zone)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {found.length === 0 && <p className="muted" role="status" style={{ padding: 16 }}>{m.projects.none}</p>}
      </div>
      {hasNextPage && text === '' && <div style={{ padding: 16, textAlign: 'center' }}><Button busy={isFetching} onClick={() => void fetchNextPage()}>{m.projects.more}</Button></div>}
    </>
  );
}

export function NewProjectPage() {
  useTitle(m.projects.newTitle);
  const first = useProjects().length === 0;
  const navigate = useNavigate();
  const create = useMutation({
    ...createProjectMutation(),
    ...sentAgain,
    onSuccess: async (made: ProjectWithSecret) => {
      keepSecret(made);
      await reloadProjects();
      await navigate({ to: '/projects/$projectId/install', params: { projectId: made.project.id } });
    },
  });
  const fields = fieldsOf(create.error);
  return (
    <div style={{ maxWidth: 520, marginInline: 'auto', paddingTop: first ? '8vh' : 0 }}>
      <form
        className="panel stack"
        style={{ padding: 28 }}
        onSubmit={(e) => {
          e.preventDefault();
          create.mutate({ headers: idempotencyKey(), body: { name: (new FormData(e.currentTarget).get('name') as string).trim(), time_zone: browserZone() } });
        }}
      >
        <div className="stack tight">
          <h1>{first ? m.projects.firstTitle : m.projects.newTitle}</h1>
          <p className="muted">{first ? m.projects.firstLead : m.projects.lead}</p>
        </div>
        {create.error && !fields['name'] && <Failure error={create.error} />}
        <TextField label={m.projects.name} name="name" required maxLength={100} autoFocus placeholder={m.projects.namePlaceholder} error={fields['name']} />
        <Button kind="primary" type="submit" busy={create.isPending}>{m.projects.create}</Button>
      </form>
    </div>
  );
}
