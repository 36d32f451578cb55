/** Edits a board. Changes stay in the page until they are saved. */
import type { BoardTile, SavedInsight } from '@nimbus-analytics/sdk';
import { Link } from '@tanstack/react-router';
import { IconArrowDown, IconArrowUp, IconGripVertical, IconX } from '@tabler/icons-react';
import { useState, type ReactNode } from 'react';
import { m } from '../../messages';
import { Button, IconButton, Segments, toast } from '../../ui';
import { placeOf, Tile } from './Tile';
import { added, keyOf, moved, removed, resized } from './tiles';

const widths = [
  { value: '4', label: m.boards.third },
  { value: '6', label: m.boards.half },
  { value: '12', label: m.boards.full },
] as const;
const heights = [
  { value: '2', label: m.boards.low },
  { value: '4', label: m.boards.usual },
  { value: '6', label: m.boards.tall },
] as const;

/** The size that is chosen; none is when another program has given the tile a size of its own. */
const chosen = <T extends string>(sizes: readonly { value: T }[], size: number) => sizes.find((s) => s.value === String(size))?.value ?? ('' as T);

export function Editor({ projectId, tiles, insights, onChange, onRemoved, rename }: { projectId: string; tiles: readonly BoardTile[]; insights: SavedInsight[]; onChange: (change: (tiles: BoardTile[]) => BoardTile[]) => void; onRemoved: (dismiss: () => void) => void; rename: ReactNode }) {
  const [dragged, setDragged] = useState<number>();
  const [said, setSaid] = useState('');
  const byId = new Map(insights.map((i) => [i.id, i]));
  const free = insights.filter((i) => !tiles.some((t) => t.kind === 'insight' && t.insight_id === i.id));
  const nameOf = (t: BoardTile) => {
    if (t.kind === 'insight') return byId.get(t.insight_id)?.name ?? m.boards.lost;
    return m.boards.text(tiles.filter((o) => o.kind === 'text').indexOf(t) + 1);
  };
  const move = (from: number, to: number) => {
    if (to < 0 || to >= tiles.length || to === from) return;
    onChange((now) => moved(now, from, to));
    setSaid(m.boards.moved(nameOf(tiles[from]!), to + 1, tiles.length));
  };
  const remove = (tile: BoardTile, at: number) => {
    onChange((now) => removed(now, at));
    onRemoved(toast(m.boards.dropped(nameOf(tile)), { undo: () => onChange((now) => moved([...now, tile], now.length, at)) }));
  };

  return (
    <>
      <div className="row wrap board-tools">
        <select className="input" aria-label={m.boards.add} value="" disabled={free.length === 0} onChange={(e) => onChange((now) => added(now, { kind: 'insight', insight_id: e.target.value, x: 0, y: 0, w: 6, h: 4 }))}>
          <option value="">{free.length > 0 ? m.boards.choose : m.boards.allAdded}</option>
          {free.map((r) => (
            <option key={r.id} value={r.id}>{r.name}</option>
          ))}
        </select>
        <Button onClick={() => onChange((now) => added(now, { kind: 'text', text: m.boards.textStart, x: 0, y: 0, w: 12, h: 2 }))}>{m.boards.addText}</Button>
        {rename}
        {insights.length === 0 ? (
          <p className="muted small grow">{m.boards.noReports} <Link to="/projects/$projectId/insights" params={{ projectId }}>{m.reports.emptyAction}</Link></p>
        ) : (
          tiles.length > 1 && <p className="muted small">{m.boards.editHint}</p>
        )}
      </div>
      <div className="board editing">
        {tiles.map((t, i) => {
          const insight = t.kind === 'insight' ? byId.get(t.insight_id) : undefined;
          const name = nameOf(t);
          const tools = (
            <div className="row tile-tools">
              <Segments label={m.boards.width(name)} value={chosen(widths, t.w)} options={widths} onChange={(w) => onChange((now) => resized(now, i, { w: Number(w) }))} />
              <Segments label={m.boards.height(name)} value={chosen(heights, t.h)} options={heights} onChange={(h) => onChange((now) => resized(now, i, { h: Number(h) }))} />
              <IconButton className="tiny" label={m.boards.earlier(name)} icon={IconArrowUp} aria-disabled={i === 0} onClick={() => move(i, i - 1)} />
              <IconButton className="tiny" label={m.boards.later(name)} icon={IconArrowDown} aria-disabled={i === tiles.length - 1} onClick={() => move(i, i + 1)} />
              <IconButton className="tiny" label={m.boards.drop(name)} icon={IconX} onClick={() => remove(t, i)} />
            </div>
          );
          return (
            <section
              key={keyOf(t, i)}
              className="panel tile"
              style={placeOf(t)}
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
              {t.kind === 'text' ? (
                <>
                  <header><h2 className="grow">{name}</h2>{tools}</header>
                  <textarea
                    className="input words"
                    aria-label={m.boards.textLabel(name)}
                    maxLength={10_000}
                    value={t.text}
                    onChange={(e) => onChange((now) => now.map((x, k) => (k === i && x.kind === 'text' ? { ...x, text: e.target.value } : x)))}
                  />
                </>
              ) : insight ? (
                <Tile projectId={projectId} insight={insight} tools={tools} />
              ) : (
                <header><p className="grow muted">{m.boards.lost}</p>{tools}</header>
              )}
            </section>
          );
        })}
      </div>
      <p className="sr" aria-live="polite">{said}</p>
    </>
  );
}
