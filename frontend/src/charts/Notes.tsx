/** The marks of annotations on the axis: buttons that say what happened. */
import { useState, type SyntheticEvent } from 'react';
import { m } from '../messages';
import type { xScale } from './geometry';
import type { Placed } from './notes';

/** The chart below reads the pointer and the keys: it does not see those of a mark. */
const own = (e: SyntheticEvent) => e.stopPropagation();
const ownEvents = { onPointerDown: own, onPointerUp: own, onKeyDown: own };

export function Notes({ notes, x, format, buckets, top }: { notes: readonly Placed[]; x: ReturnType<typeof xScale>; format: (iso: string) => string; buckets: readonly string[]; top: number }) {
  const [open, setOpen] = useState<string>();
  // Those of one bucket are one mark.
  const marks = [...new Set(notes.map((n) => n.from))].map((at) => [at, notes.filter((n) => n.from === at)] as const);
  return marks.map(([at, here]) => {
    const key = here[0]!.id;
    const words = here.map((n) => n.text).join(' · ');
    const when = format(buckets[at]!);
    return (
      <span key={key} className="note-mark" style={{ left: x.at(at), top }}>
        <button type="button" aria-expanded={open === key} aria-label={m.notes.mark(words, when)} title={words} {...ownEvents} onClick={() => setOpen(open === key ? undefined : key)} onBlur={() => setOpen(undefined)} />
        {open === key && <span role="status" className="note-text" data-left={at > buckets.length / 2 || undefined}><b>{when}</b><br />{words}</span>}
      </span>
    );
  });
}
