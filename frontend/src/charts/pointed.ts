/** The position of the pointer or keyboard in a chart. It is a store outside React, so that a move redraws the readout only, not the chart. */
import { signal } from '../lib/signal';

export interface Pointed {
  /** The bucket, if there is one. */
  at?: number;
  /** The bucket at which a drag to zoom began. */
  from?: number;
  /** Chosen by keyboard: then screen readers are told. */
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
