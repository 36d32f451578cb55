/** What the live page shows of a stream: the latest rows, how many events wait while it is paused, and the rate. */
import type { LiveItem, StoredEvent } from '@nimbus-analytics/sdk';

export type Row = { type: 'event'; id: string; event: StoredEvent } | { type: 'missed'; id: string; count: number | null; since: string };

export interface View {
  /** The newest first. */
  rows: readonly Row[];
  /** Events that came while the list was paused. */
  waiting: number;
  /** Events per second, over the last ten seconds. */
  rate: number;
}

/** The most rows that are kept; older ones are in the list of events. */
export const kept = 500;
const rateSeconds = 10;

export class Feed {
  private shown: readonly Row[] = [];
  private pending: Row[] = [];
  private waiting = 0;
  private seconds: { at: number; count: number }[] = [];

  constructor(readonly begunAt: number) {}

  push(item: LiveItem, now: number) {
    if (item.type === 'event') {
      this.pending.push({ type: 'event', id: item.event.id, event: item.event });
      this.waiting++;
      const at = Math.floor(now / 1000);
      const last = this.seconds.at(-1);
      if (last?.at === at) last.count++;
      else this.seconds.push({ at, count: 1 });
      if (this.seconds.length > rateSeconds) this.seconds.shift();
    } else this.pending.push({ type: 'missed', id: item.cursor, count: item.count, since: item.since });
    if (this.pending.length > 2 * kept) this.pending = this.pending.slice(-kept);
  }

  /** Puts the latest events of before at the end: what the stream has brought meanwhile is not there twice. */
  begin(events: readonly StoredEvent[]) {
    const there = new Set([...this.shown, ...this.pending].map((row) => row.id));
    this.shown = [...this.shown, ...events.filter((e) => !there.has(e.id)).map((event): Row => ({ type: 'event', id: event.id, event }))].slice(0, kept);
  }

  /** Moves the waiting events to the top of the list. */
  take() {
    if (this.pending.length === 0) return;
    this.shown = [...this.pending.reverse(), ...this.shown].slice(0, kept);
    this.pending = [];
    this.waiting = 0;
  }

  view(now: number): View {
    const at = Math.floor(now / 1000);
    const count = this.seconds.reduce((sum, s) => (s.at > at - rateSeconds ? sum + s.count : sum), 0);
    const over = Math.min(rateSeconds, Math.max(1, (now - this.begunAt) / 1000));
    return { rows: this.shown, waiting: this.waiting, rate: Math.round((count / over) * 10) / 10 };
  }
}

export const same = (a: View, b: View) => a.rows === b.rows && a.waiting === b.waiting && a.rate === b.rate;
