import { NimbusError, type Board, type BoardTile, type SavedInsight, type UpdateBoardRequest } from '@nimbus-analytics/sdk';
import { deleteBoardMutation, getBoardOptions, updateBoardMutation } from '@nimbus-analytics/sdk/react-query';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link, useBlocker, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { IconLayoutBoard, IconPencil, IconTrash } from '@tabler/icons-react';
import { useRef, useState } from 'react';
import { refreshSaved, useCan, useProject, useReports, useTitle } from '../../hooks';
import { Where } from '../../insights/ask/parts';
import { m } from '../../messages';
import { zonePref } from '../../prefs';
import { RangePicker } from '../../query/RangePicker';
import { Button, Confirm, CopyButton, Empty, Failure, IconButton, Skeleton, toast } from '../../ui';
import { Conflict, ifMatch, isConflict } from '../../saved/Conflict';
import { Naming } from '../../saved/Naming';
import { Editor } from './Editor';
import { placeOf, Tile } from './Tile';
import type { Over } from './over';
import { keyOf } from './tiles';
import { Words } from './Words';
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
  return <Shown key={boardId} projectId={project.id} board={board.data} insights={reports.data.items} />;
}

function Shown({ projectId, board, insights }: { projectId: string; board: Board; insights: SavedInsight[] }) {
  const canEdit = useCan()('admin');
  const search = useSearch({ from: '/app/projects/$projectId/boards/$boardId' });
  const editing = search.edit === true && canEdit;
  const { edit: _, ...of } = search;
  const zone = zonePref.use();
  const navigate = useNavigate({ from: '/projects/$projectId/boards/$boardId' });
  const edit = (on: boolean) => void navigate({ search: (s) => ({ ...s, edit: on || undefined }), replace: true, resetScroll: false });
  const lay = (over: Over) => void navigate({ search: over, resetScroll: false });
  const [dialog, setDialog] = useState<'rename' | 'remove'>();
  const [draft, setDraft] = useState<BoardTile[]>();
  useBlocker({
    shouldBlockFn: ({ current, next }) => draft !== undefined && current.pathname !== next.pathname && !confirm(m.boards.leave),
    enableBeforeUnload: () => draft !== undefined,
  });
  const tiles = editing ? (draft ?? board.tiles) : board.tiles;
  const byId = new Map(insights.map((i) => [i.id, i]));
  const path = { project_id: projectId, board_id: board.id };
  const [base, setBase] = useState(board.version); // the version that the changes are made to
  const notices = useRef<(() => void)[]>([]);
  const update = useMutation({
    ...updateBoardMutation({ path, body: {} }),
    onSuccess: async (saved) => {
      setBase(saved.version);
      await refreshSaved();
      toast(m.boards.saved);
    },
    onError: (error) => isConflict(error) && refreshSaved(), // the other version, and whose it is
  });
  const save = (body: UpdateBoardRequest, done: () => void, version = base) => update.mutate({ path, headers: ifMatch(version), body }, { onSuccess: done });
  const begin = (what: () => void) => {
    if (draft === undefined) setBase(board.version);
    update.reset();
    what();
  };
  const leave = () => {
    notices.current.forEach((dismiss) => dismiss()); // there is no draft any more in which to undo
    setDraft(undefined);
    setDialog(undefined);
    update.reset();
    edit(false);
  };
  const conflict = isConflict(update.error) && (
    <Conflict
      projectId={projectId}
      by={board.updated_by}
      other={`/projects/${projectId}/boards/${board.id}`}
      busy={update.isPending}
      onReload={leave}
      onOverwrite={() => update.variables && save(update.variables.body, leave, board.version)}
    />
  );

  return (
    <>
      <header className="page-head">
        <h1 className="truncate">{board.name}</h1>
        <div className="row wrap end">
          {editing ? (
            <>
              <Button onClick={leave}>{m.cancel}</Button>
              <Button kind="primary" busy={update.isPending} onClick={() => (draft ? save({ tiles: draft }, leave) : leave())}>{m.boards.done}</Button>
            </>
          ) : (
            <>
              {tiles.some((t) => t.kind === 'insight') && (
                <>
                  <RangePicker range={of} zone={zone} none={m.boards.ownRanges} onChange={(range) => lay({ ...range, ...(of.filter && { filter: of.filter }) })} />
                  <Where label={m.boards.filter} filter={of.filter} all={m.boards.filterAll} onChange={(filter) => lay({ ...(of.range && { range: of.range }), ...(of.from && of.to && { from: of.from, to: of.to }), ...(filter && { filter }) })} />
                </>
              )}
              <CopyButton className="" text={location.href} label={m.boards.share} />
              {canEdit && (
                <>
                  <Button onClick={() => begin(() => edit(true))}><IconPencil size={16} aria-hidden />{m.boards.edit}</Button>
                  <IconButton label={m.boards.remove} icon={IconTrash} onClick={() => setDialog('remove')} />
                </>
              )}
            </>
          )}
        </div>
        {board.description && <p className="lead">{board.description}</p>}
      </header>
      {!canEdit && <p className="muted small page-note">{m.boards.viewerList}</p>}
      {editing && dialog === undefined && update.error && <div className="page-note" style={{ marginTop: 0 }}>{conflict || <Failure error={update.error} />}</div>}
      {editing ? (
        <Editor projectId={projectId} tiles={tiles} insights={insights} onChange={(change) => setDraft((now) => change(now ?? board.tiles))} onRemoved={(dismiss) => notices.current.push(dismiss)} rename={<Button onClick={() => begin(() => setDialog('rename'))}>{m.boards.rename}</Button>} />
      ) : tiles.length === 0 ? (
        <section className="panel">
          <Empty icon={IconLayoutBoard} title={m.boards.blankTitle}>
            <p>{canEdit ? m.boards.blankText : m.boards.blankViewer}</p>
            {canEdit && <Button kind="primary" onClick={() => begin(() => edit(true))}>{m.boards.add}</Button>}
          </Empty>
        </section>
      ) : (
        <div className="board">
          {tiles.map((t, i) => {
            const insight = t.kind === 'insight' ? byId.get(t.insight_id) : undefined;
            return (
              <section key={keyOf(t, i)} className="panel tile" style={placeOf(t)}>
                {t.kind === 'text' ? <Words text={t.text} /> : insight ? <Tile projectId={projectId} insight={insight} of={of} /> : <p className="body muted">{m.boards.lost}</p>}
              </section>
            );
          })}
        </div>
      )}
      {dialog === 'rename' && (
        <Naming title={m.boards.rename} action={m.save} name={board.name} description={board.description} busy={update.isPending} error={update.error} conflict={conflict} onClose={() => setDialog(undefined)} onSubmit={(body) => save(body, () => setDialog(undefined))} />
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
      await refreshSaved();
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
