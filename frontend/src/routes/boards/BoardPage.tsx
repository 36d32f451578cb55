import { NimbusError, type Board, type BoardTile, type Report } from '@nimbus-analytics/sdk';
import { deleteBoardMutation, getBoardOptions, updateBoardMutation } from '@nimbus-analytics/sdk/react-query';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link, useBlocker, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { IconLayoutBoard, IconPencil, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import { refreshReports, useCan, useProject, useReports, useTitle } from '../../hooks';
import { m } from '../../messages';
import { Button, Confirm, CopyButton, Empty, Failure, IconButton, Skeleton, toast } from '../../ui';
import { Naming } from '../../ui/Naming';
import { Editor } from './Editor';
import { Tile } from './Tile';
import './boards.css';

export function BoardPage() {
  const project = useProject()!;
  const { boardId } = useParams({ from: '/app/projects/$projectId/boards/$boardId' });
  const path = { project_id: project.id, board_id: boardId };
  const board = useQuery(getBoardOptions({ path }));
  const reports = useReports(project.id);
  useTitle(board.data?.name ?? m.boards.title);

  if (board.error instanceof NimbusError && [404, 422].includes(board.error.status))
    return (
      <Empty icon={IconLayoutBoard} heading="h1" title={m.boards.notFound}>
        <p>{m.boards.notFoundText}</p>
        <Link className="button primary" to="/projects/$projectId/boards" params={{ projectId: project.id }}>{m.boards.all}</Link>
      </Empty>
    );
  const error = board.error ?? reports.error;
  if (error) return <><h1 className="sr">{m.boards.title}</h1><Failure error={error} retry={() => void (board.error ? board : reports).refetch()} /></>;
  if (!board.data || !reports.data) return <><h1 className="sr">{m.boards.title}</h1><div className="board"><Skeleton height={320} /><Skeleton height={320} /></div></>;
  return <Shown key={boardId} projectId={project.id} board={board.data} reports={reports.data.items} />;
}

function Shown({ projectId, board, reports }: { projectId: string; board: Board; reports: Report[] }) {
  const canEdit = useCan()('admin');
  const editing = useSearch({ from: '/app/projects/$projectId/boards/$boardId' }).edit === true && canEdit;
  const navigate = useNavigate({ from: '/projects/$projectId/boards/$boardId' });
  const edit = (on: boolean) => void navigate({ search: on ? { edit: true } : {}, replace: true, resetScroll: false });
  const [dialog, setDialog] = useState<'rename' | 'remove'>();
  const [draft, setDraft] = useState<BoardTile[]>();
  useBlocker({
    shouldBlockFn: ({ current, next }) => draft !== undefined && current.pathname !== next.pathname && !confirm(m.boards.leave),
    enableBeforeUnload: () => draft !== undefined,
  });
  const tiles = editing ? (draft ?? board.tiles) : board.tiles;
  const byId = new Map(reports.map((r) => [r.id, r]));
  const path = { project_id: projectId, board_id: board.id };
  const update = useMutation({
    ...updateBoardMutation({ path, body: {} }),
    onSuccess: async () => {
      await refreshReports();
      toast(m.boards.saved);
    },
  });
  const leave = () => {
    setDraft(undefined);
    edit(false);
  };

  return (
    <>
      <header className="page-head">
        <h1 className="truncate">{board.name}</h1>
        <div className="row wrap end">
          {editing ? (
            <>
              <Button onClick={leave}>{m.cancel}</Button>
              <Button kind="primary" busy={update.isPending} onClick={() => (draft ? update.mutate({ path, body: { tiles: draft } }, { onSuccess: leave }) : leave())}>{m.boards.done}</Button>
            </>
          ) : (
            <>
              <CopyButton className="" text={location.href} label={m.boards.share} />
              {canEdit && (
                <>
                  <Button onClick={() => edit(true)}><IconPencil size={16} aria-hidden />{m.boards.edit}</Button>
                  <IconButton label={m.boards.remove} icon={IconTrash} onClick={() => setDialog('remove')} />
                </>
              )}
            </>
          )}
        </div>
        {board.description && <p className="lead">{board.description}</p>}
      </header>
      {!canEdit && <p className="muted small page-note">{m.boards.viewerList}</p>}
      {editing && dialog === undefined && update.error && <div className="page-note" style={{ marginTop: 0 }}><Failure error={update.error} /></div>}
      {editing ? (
        <Editor projectId={projectId} tiles={tiles} reports={reports} onChange={setDraft} rename={<Button onClick={() => setDialog('rename')}>{m.boards.rename}</Button>} />
      ) : tiles.length === 0 ? (
        <section className="panel">
          <Empty icon={IconLayoutBoard} title={m.boards.blankTitle}>
            <p>{canEdit ? m.boards.blankText : m.boards.blankViewer}</p>
            {canEdit && <Button kind="primary" onClick={() => edit(true)}>{m.boards.add}</Button>}
          </Empty>
        </section>
      ) : (
        <div className="board">
          {tiles.map((t, i) => {
            const report = byId.get(t.report_id);
            return (
              <section key={`${t.report_id} ${i}`} className={`panel ${t.width}`}>
                {report ? <Tile projectId={projectId} report={report} /> : <p className="body muted">{m.boards.lost}</p>}
              </section>
            );
          })}
        </div>
      )}
      {dialog === 'rename' && (
        <Naming title={m.boards.rename} action={m.save} name={board.name} description={board.description} busy={update.isPending} error={update.error} onClose={() => setDialog(undefined)} onSubmit={(body) => update.mutate({ path, body }, { onSuccess: () => setDialog(undefined) })} />
      )}
      {dialog === 'remove' && <Remove board={board} projectId={projectId} onClose={() => setDialog(undefined)} />}
    </>
  );
}

function Remove({ board, projectId, onClose }: { board: Board; projectId: string; onClose: () => void }) {
  const navigate = useNavigate();
  const remove = useMutation({
    ...deleteBoardMutation(),
    onSuccess: async () => {
      await navigate({ to: '/projects/$projectId/boards', params: { projectId }, replace: true });
      toast(m.boards.removed(board.name));
      await refreshReports();
    },
  });
  return (
    <Confirm
      title={m.boards.removeTitle(board.name)}
      text={m.boards.removeText}
      action={m.boards.remove}
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate({ path: { project_id: projectId, board_id: board.id } })}
      onClose={onClose}
    />
  );
}
