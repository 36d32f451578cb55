import type { Board } from '@nimbus-analytics/sdk';
import { createBoardMutation } from '@nimbus-analytics/sdk/react-query';
import { useMutation } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { IconLayoutBoard, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { idempotencyKey, sentAgain } from '../../api';
import { refreshSaved, useBoards, useCan, useProject, useTitle } from '../../hooks';
import { m } from '../../messages';
import { Button, Empty, Failure, Skeleton } from '../../ui';
import { Naming } from '../../saved/Naming';
import './boards.css';

export function BoardsPage() {
  useTitle(m.boards.title);
  const project = useProject()!;
  const list = useBoards(project.id);
  const canEdit = useCan()('admin');
  const [creating, setCreating] = useState(false);
  const boards = list.data?.items ?? [];
  const create = canEdit && <Button kind="primary" onClick={() => setCreating(true)}><IconPlus size={16} aria-hidden />{m.boards.create}</Button>;
  return (
    <>
      <header className="page-head">
        <h1>{m.boards.title}</h1>
        {boards.length > 0 && <div className="end">{create}</div>}
        <p className="lead">{m.boards.lead}</p>
      </header>
      {!canEdit && <p className="muted small page-note">{m.boards.viewerList}</p>}
      {list.error ? (
        <Failure error={list.error} retry={() => void list.refetch()} />
      ) : !list.data ? (
        <div className="board-list">{Array.from({ length: 3 }, (_, i) => <Skeleton key={i} height={92} />)}</div>
      ) : boards.length === 0 ? (
        <section className="panel">
          <Empty icon={IconLayoutBoard} title={m.boards.emptyTitle}>
            <p>{canEdit ? m.boards.emptyText : m.boards.emptyViewer}</p>
            {create}
          </Empty>
        </section>
      ) : (
        <ul className="board-list">
          {boards.map((b) => (
            <li key={b.id}>
              <Link className="panel board-card" to="/projects/$projectId/boards/$boardId" params={{ projectId: project.id, boardId: b.id }}>
                <h2 className="truncate">{b.name}</h2>
                {b.description && <p className="muted truncate">{b.description}</p>}
                <p className="muted small">{m.boards.tiles(b.tiles.length)}</p>
              </Link>
            </li>
          ))}
        </ul>
      )}
      {creating && <Create projectId={project.id} onClose={() => setCreating(false)} />}
    </>
  );
}

function Create({ projectId, onClose }: { projectId: string; onClose: () => void }) {
  const navigate = useNavigate();
  const create = useMutation({
    ...createBoardMutation(),
    ...sentAgain,
    onSuccess: async (made: Board) => {
      await refreshSaved();
      await navigate({ to: '/projects/$projectId/boards/$boardId', params: { projectId, boardId: made.id }, search: { edit: true } });
    },
  });
  return (
    <Naming
      title={m.boards.createTitle}
      placeholder={m.boards.namePlaceholder}
      action={m.boards.createAction}
      name=""
      description=""
      busy={create.isPending}
      error={create.error}
      onClose={onClose}
      onSubmit={(named) => create.mutate({ path: { project_id: projectId }, headers: idempotencyKey(), body: named })}
    />
  );
}
