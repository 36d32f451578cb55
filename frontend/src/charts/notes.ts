/** What happened when: annotations, at the buckets of a chart. */

export interface Note {
  id: string;
  ts: string;
  until: string;
  text: string;
}

export interface Placed extends Note {
  /** The first and the last bucket that it touches. */
  from: number;
  to: number;
}

/** The bucket that an instant is in; -1 before the first. */
const at = (starts: readonly number[], instant: number) => starts.findLastIndex((start) => start <= instant);

/** The notes that lie in the buckets, the first first. The last bucket has no end that is known: it is taken to be as long as the one before it. */
export function placed(notes: readonly Note[], buckets: readonly string[]): Placed[] {
  const starts = buckets.map((b) => Date.parse(b));
  const last = starts.at(-1) ?? 0;
  const end = last + (last - (starts.at(-2) ?? last - 1));
  return notes
    .flatMap((note) => {
      const [ts, until] = [Date.parse(note.ts), Date.parse(note.until)];
      if (ts >= end || until < (starts[0] ?? Infinity)) return [];
      return [{ ...note, from: Math.max(0, at(starts, ts)), to: Math.max(0, at(starts, Math.min(until, end - 1))) }];
    })
    .sort((a, b) => a.from - b.from);
}
