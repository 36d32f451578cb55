/** The table of events. Only visible rows are in the page, so that ten thousand scroll as smoothly as ten. */
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useEffectEvent, useRef, useState, type CSSProperties, type ReactNode } from 'react';
import { m } from '../messages';
import './events.css';

const rowHeight = 42;

/** The position of a row, on screen and for screen readers. */
export interface Place {
  'aria-rowindex': number;
  style: CSSProperties;
}

export function EventTable({ label, zone, stale = false, count, rowCount = count + 1, row, reached, foot }: {
  label: string;
  zone: string;
  /** Whether these rows answer earlier conditions, while the new ones load. */
  stale?: boolean;
  count: number;
  /** The number of rows including the head; -1 when more can be loaded. */
  rowCount?: number;
  row: (index: number, place: Place) => ReactNode;
  /** Called with the index of the last row that is drawn. */
  reached?: (index: number) => void;
  foot: ReactNode;
}) {
  const ref = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  useEffect(() => setTop(ref.current!.getBoundingClientRect().top + scrollY), []);
  const rows = useWindowVirtualizer({ count, estimateSize: () => rowHeight, overscan: 10, scrollMargin: top });
  const items = rows.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  const tell = useEffectEvent(() => reached?.(last));
  useEffect(() => {
    tell();
  }, [last, count]);
  return (
    <div className="panel events">
      <div role="table" className={stale ? 'stale' : ''} aria-label={label} aria-busy={stale} aria-rowcount={rowCount}>
        <div role="rowgroup" className="heading">
          <div role="row" className="event head">
            <span role="columnheader" className="truncate" title={zone}>{m.events.time}<span className="when"> · {zone}</span></span>
            <span role="columnheader">{m.events.name}</span>
            <span role="columnheader">{m.events.person}</span>
            <span role="columnheader" className="hide-narrow">{m.events.properties}</span>
          </div>
        </div>
        <div ref={ref} role="rowgroup" className="window" style={{ height: rows.getTotalSize() }}>
          {items.map((item) => row(item.index, { 'aria-rowindex': item.index + 2, style: { transform: `translateY(${item.start - top}px)` } }))}
        </div>
      </div>
      {foot}
    </div>
  );
}
