/** The tooltip and markers that move with the pointer, on a layer of their own: the chart below is not redrawn. */
import { useSyncExternalStore } from 'react';
import { change, number } from '../format';
import { m } from '../messages';
import { Delta } from '../ui';
import type { xScale, yScale, Frame } from './geometry';
import type { PointedStore } from './pointed';
import { colorOf, type Series } from './series';

const mostRows = 12;

interface Props {
  store: PointedStore;
  frame: Frame;
  x: ReturnType<typeof xScale>;
  y: ReturnType<typeof yScale>;
  kind: 'line' | 'area' | 'bar';
  buckets: readonly string[];
  series: readonly Series[];
  /** The first bucket that is not over, or -1. */
  open: number;
  format: (iso: string) => string;
  /** How values are written; plain numbers when absent. */
  value?: ((value: number | null | undefined) => string) | undefined;
}

export function Readout({ store, frame, x, y, kind, buckets, series, open, format, value = number }: Props) {
  const { at, from } = useSyncExternalStore(store.watch, store.get);
  if (at === undefined || at >= buckets.length) return null; // the next answer may have fewer buckets
  const tall = { top: frame.top, height: frame.height - frame.top - frame.bottom };
  const middle = x.at(at);
  const zoomed = from !== undefined && from !== at && from < buckets.length ? { from: Math.min(from, at), to: Math.max(from, at) } : undefined;
  return (
    <div className="readout" aria-hidden>
      {zoomed ? (
        <i className="zoom" style={{ ...tall, transform: `translateX(${x.at(zoomed.from) - x.step / 2}px)`, width: (zoomed.to - zoomed.from + 1) * x.step }} />
      ) : kind === 'bar' ? (
        <i className="band" style={{ ...tall, transform: `translateX(${middle - x.step / 2}px)`, width: Math.max(1, x.step) }} />
      ) : (
        <i className="cross" style={{ ...tall, transform: `translateX(${middle}px)` }} />
      )}
      {kind === 'line' && !zoomed && series.map((s) => {
        const v = s.values[at];
        return v !== null && v !== undefined && <i key={s.key} className="point" style={{ background: colorOf(s), transform: `translate(${middle}px, ${y(v)}px)` }} />;
      })}
      <div className="tooltip" style={{ transform: middle > frame.width / 2 ? `translateX(max(0px, ${middle - 14}px - 100%))` : `translateX(min(${middle + 14}px, ${frame.width}px - 100%))` }}>
        {zoomed ? <strong>{format(buckets[zoomed.from]!)} – {format(buckets[zoomed.to]!)}</strong> : <Values at={at} buckets={buckets} series={series} running={open >= 0 && at >= open} format={format} value={value} />}
      </div>
    </div>
  );
}

function Values({ at, buckets, series, running, format, value }: { at: number; buckets: readonly string[]; series: readonly Series[]; running: boolean; format: (iso: string) => string; value: (value: number | null | undefined) => string }) {
  const rows = series.length > 1 ? [...series].sort((a, b) => (b.values[at] ?? -Infinity) - (a.values[at] ?? -Infinity)) : series;
  const earlier = series.find((s) => s.before)?.before?.times[at];
  return (
    <>
      <strong>{format(buckets[at]!)}</strong>{running && <span className="muted"> {m.explore.soFar}</span>}
      {earlier && <p className="muted">{m.explore.against(format(earlier), running)}</p>}
      <table>
        <tbody>
          {rows.slice(0, mostRows).map((s, place) => {
            const before = s.before?.values[at];
            return (
              // Keyed by position, not by series: a row then only changes its text.
              <tr key={place}>
                <td><i className="swatch" style={{ color: colorOf(s) }} /></td>
                <th>{s.label}</th>
                <td className="num"><b>{value(s.values[at])}</b></td>
                {earlier && <td className="num muted">{value(before)}</td>}
                {earlier && !running && <td className="num"><Delta value={change(s.values[at], before)} /></td>}
              </tr>
            );
          })}
        </tbody>
      </table>
      {rows.length > mostRows && <p className="muted">{m.explore.andMore(rows.length - mostRows)}</p>}
    </>
  );
}

/** The same for screen readers, and only for the keyboard: a pointer passes over hundreds of buckets. */
export function Spoken({ store, buckets, series, open, format, value = number }: Pick<Props, 'store' | 'buckets' | 'series' | 'open' | 'format' | 'value'>) {
  const { at, spoken } = useSyncExternalStore(store.watch, store.get);
  const read = (v: number | null | undefined) => (v === null || v === undefined ? m.explore.noData : value(v));
  const tell = (s: Series) => {
    const before = s.before?.values[at!];
    return `${s.label} ${read(s.values[at!])}${s.before ? `, ${m.explore.previous} ${read(before)}` : ''}`;
  };
  return <div className="sr" aria-live="polite">{spoken && at !== undefined && at < buckets.length ? `${format(buckets[at]!)}${open >= 0 && at >= open ? ` (${m.explore.soFar})` : ''}: ${series.map(tell).join(', ')}` : ''}</div>;
}

