/** Edits a board. Changes stay in the page until they are saved. */
import type { BoardTile, Report } from '@nimbus-analytics/sdk';
import { Link } from '@tanstack/react-router';
import { IconArrowDown, IconArrowUp, IconGripVertical, IconX } from '@tabler/icons-react';
import { useState, type ReactNode } from 'react';
import { m } from '../../messages';
import { IconButton, Segments, toast } from '../../ui';
import { Tile } from './Tile';
import { moved } from './tiles';

const widths = [
  { value: 'half', label: m.boards.half },
  { value: 'full', label: m.boards.full },
] as const;

export function Editor({ projectId, tiles, reports, onChange, onRemoved, rename }: { projectId: string; tiles: readonly BoardTile[]; reports: Report[]; onChange: (change: (tiles: BoardTile[]) => BoardTile[]) => void; onRemoved: (dismiss: () => void) => void; rename: ReactNode }) {
  const [dragged, setDragged] = useState<number>();
  const [said, setSaid] = useState('');
  const byId = new Map(reports.map((r) => [r.id, r]));
  const free = reports.filter((r) => !tiles.some((t) => t.report_id === r.id));
  const nameOf = (t: BoardTile) => byId.get(t.report_id)?.name ?? m.boards.lost;
  const move = (from: number, to: number) => {
    if (to < 0 || to >= tiles.length || to === from) return;
    onChange((now) => moved(now, from, to));
    setSaid(m.boards.moved(nameOf(tiles[from]!), to + 1, tiles.length));
  };
  const remove = (tile: BoardTile, at: number) => {
    onChange((now) => now.filter((_, k) => k !== at));
    onRemoved(toast(m.boards.dropped(nameOf(tile)), { undo: () => onChange((now) => [...now.slice(0, at), tile, ...now.slice(at)]) }));
  };

  return (
    <>
      <div className="row wrap board-tools">
        <select className="input" aria-label={m.boards.add} value="" disabled={free.length === 0} onChange={(e) => onChange((now) => [...now, { report_id: e.target.value, width: 'half' }])}>
          <option value="">{free.length > 0 ? m.boards.choose : m.boards.allAdded}</option>
          {free.map((r) => (
            <option key={r.id} value={r.id}>{r.name}</option>
          ))}
        </select>
        {rename}
        {reports.length === 0 ? (
          <p className="muted small grow">{m.boards.noReports} <Link to="/projects/$projectId/insights" params={{ projectId }}>{m.reports.emptyAction}</Link></p>
        ) : (
          tiles.length > 1 && <p className="muted small">{m.boards.editHint}</p>
        )}
      </div>
      <div className="board editing">
        {tiles.map((t, i) => {
          const report = byId.get(t.report_id);
          const name = nameOf(t);
          const tools = (
            <div className="row tile-tools">
              <Segments label={m.boards.width(name)} value={t.width} options={widths} onChange={(width) => onChange((now) => now.map((x, k) => (k === i ? { ...x, width } : x)))} />
              <IconButton className="tiny" label={m.boards.earlier(name)} icon={IconArrowUp} aria-disabled={i === 0} onClick={() => move(i, i - 1)} />
              <IconButton className="tiny" label={m.boards.later(name)} icon={IconArrowDown} aria-disabled={i === tiles.length - 1} onClick={() => move(i, i + 1)} />
              <IconButton className="tiny" label={m.boards.drop(name)} icon={IconX} onClick={() => remove(t, i)} />
            </div>
          );
          return (
            <section
              key={t.report_id}
              className={`panel ${t.width}`}
              data-dragged={dragged === i || undefined}
              onDragOver={(e) => {
                if (dragged === undefined) return;
                e.preventDefault();
                if (dragged !== i) {
                  move(dragged, i);
                  setDragged(i);
                }
              }}
              onDrop={(e) => e.preventDefault()}
            >
              <span
                className="grip"
                draggable
                aria-hidden
                onDragStart={(e) => {
                  e.dataTransfer.effectAllowed = 'move';
                  e.dataTransfer.setDragImage(e.currentTarget.parentElement!, 12, 12);
                  setDragged(i);
                }}
                onDragEnd={() => setDragged(undefined)}
              >
                <IconGripVertical size={16} />
              </span>
              {report ? <Tile projectId={projectId} report={report} tools={tools} /> : <header><p className="grow muted">{m.boards.lost}</p>{tools}</header>}
            </section>
          );
        })}
      </div>
      <p className="sr" aria-live="polite">{said}</p>
    </>
  );
}
