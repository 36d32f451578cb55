/** Where the pointer or the keyboard is in a chart. It is no state of the chart: what moves with it draws itself, and only that. */
import { signal } from '../lib/signal';

export interface Pointed {
  /** The bucket, if there is one. */
  at?: number;
  /** Where a zoom began that is being drawn. */
  from?: number;
  /** Chosen by keyboard: then it is told too. */
  spoken?: boolean;
}

const nowhere: Pointed = {};

export function createPointed() {
  let now = nowhere;
  const { watch, notify } = signal();
  const set = (next: Pointed) => {
    if (next.at === now.at && next.from === now.from && next.spoken === now.spoken) return;
    now = next;
    notify();
  };
  return {
    get: () => now,
    set,
    clear: () => set(nowhere),
    watch,
  };
}

export type PointedStore = ReturnType<typeof createPointed>;
