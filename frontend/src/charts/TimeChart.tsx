/** Lines, areas or bars over time, as SVG: coloured by the style sheet, readable by keyboard and screen reader. */
import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent } from 'react';
import { compact } from '../format';
import { m } from '../messages';
import { clockTicks, indexAt, layersOf, nearest, xScale, xTicks, yScale, yTicks, type Frame } from './geometry';
import { Marks } from './Marks';
import { Notes } from './Notes';
import type { Placed } from './notes';
import { createPointed } from './pointed';
import { Readout, Spoken } from './Readout';
import { colorOf, type Series } from './series';
import { useWidth } from './useWidth';
import './chart.css';

interface Props {
  label: string;
  buckets: readonly string[];
  series: readonly Series[];
  kind: 'line' | 'area' | 'bar';
  /** Whether the series add up, so that areas and bars can be stacked. */
  additive?: boolean;
  /** The total of the period before: a stack is compared as a whole. */
  wholeBefore?: readonly (number | null)[] | undefined;
  /** Whether buckets are shorter than a day: labels are then put at round times. */
  clock?: boolean;
  formatBucket: (iso: string) => string;
  formatBucketLong: (iso: string) => string;
  /** The first bucket that is still running: from there the line is dashed and bars are pale. */
  incompleteFrom?: string | undefined;
  height?: number | undefined;
  legend?: boolean;
  /** The only series shown. Without `onOnly` the chart keeps this state itself. */
  only?: string | undefined;
  onOnly?: (key: string | undefined) => void;
  onZoom?: (from: number, to: number) => void;
  /** On a double click, where there is a zoom to leave. */
  onZoomOut?: (() => void) | undefined;
  /** What happened when, marked on the axis. */
  notes?: readonly Placed[] | undefined;
  /** How values are written; plain numbers when absent. */
  formatValue?: ((value: number | null | undefined) => string) | undefined;
  /** On a click, and on Enter at the bucket that the keyboard is at: which bucket of which series. */
  onOpen?: ((at: number, key: string) => void) | undefined;
}

const labelWidth = 72;

export function TimeChart({ label, buckets, series, kind, additive = true, wholeBefore, clock = false, formatBucket, formatBucketLong, incompleteFrom, height = 300, legend = true, only: chosen, onOnly, onZoom, onZoomOut, formatValue, onOpen, notes }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const [own, setOwn] = useState<string>();
  const only = onOnly ? chosen : own;
  const setOnly = onOnly ?? setOwn;
  const [pointed] = useState(createPointed);
  const moved = useRef({ frame: 0, x: 0 });

  const count = buckets.length;
  const shown = useMemo(() => (series.some((s) => s.key === only) ? series.filter((s) => s.key === only) : series), [series, only]);
  const open = useMemo(() => (incompleteFrom === undefined ? -1 : buckets.findIndex((b) => Date.parse(b) >= Date.parse(incompleteFrom))), [buckets, incompleteFrom]);
  const plot = useMemo(() => {
    if (width === 0 || count === 0) return undefined;
    const below = shown.some((s) => s.values.some((v) => v !== null && v < 0));
    const stacked = kind !== 'line' && additive && shown.length > 1 && !(kind === 'area' && below);
    const layers = kind === 'line' ? [] : stacked ? layersOf(shown, count) : shown.map((s) => ({ key: s.key, spans: s.values.map((v): [number, number] => [Math.min(0, v ?? 0), Math.max(0, v ?? 0)]) }));
    const before = stacked ? (shown === series && wholeBefore ? [{ key: 'whole', color: 'other' as const, values: wholeBefore }] : []) : shown.flatMap((s) => (s.before ? [{ key: s.key, color: s.color, values: s.before.values.slice(0, count) }] : []));
    const edges = { top: 10, bottom: 26 };
    const y = yScale([...(kind === 'line' ? shown.map((s) => s.values) : layers.flatMap((l) => [l.spans.map((s) => s[0]), l.spans.map((s) => s[1])])), ...before.map((b) => b.values)], height, edges);
    const ticks = yTicks(y, shown.every((s) => s.values.every((v) => v === null || Number.isInteger(v)))).map((value) => ({ value, text: formatValue ? formatValue(value) : compact(value) }));
    const frame: Frame = { width, height, left: 14 + 7 * Math.max(2, ...ticks.map((t) => t.text.length)), right: 8, ...edges };
    return { frame, x: xScale(count, frame), y, ticks, layers, stacked, before, labels: clock ? clockTicks(buckets, frame) : xTicks(count, frame, labelWidth) };
  }, [width, height, count, kind, additive, shown, series, wholeBefore, buckets, clock, formatValue]);

  // Memoised: a pointer move must not redraw it, because ten thousand points are a path of 100 kB.
  const drawing = useMemo(
    () =>
      plot && (
        <svg width={width} height={height} aria-hidden="true">
          {plot.ticks.map((t) => (
            <g key={t.value}>
              <line className={t.value === 0 ? 'axis' : 'grid'} x1={plot.frame.left} x2={width - plot.frame.right} y1={plot.y(t.value)} y2={plot.y(t.value)} />
              <text className="tick" x={plot.frame.left - 9} y={plot.y(t.value)} dy="0.32em" textAnchor="end">{t.text}</text>
            </g>
          ))}
          {plot.labels.map((i) => {
            const atEnd = plot.x.at(i) > width - labelWidth / 2;
            return <text key={i} className="tick" x={atEnd ? width : plot.x.at(i)} y={height - 7} textAnchor={atEnd ? 'end' : 'middle'}>{formatBucket(buckets[i]!)}</text>;
          })}
          {notes?.map((n) => (
            <g key={n.id} className="note">
              {n.to > n.from && <rect x={plot.x.at(n.from) - plot.x.step / 2} width={(n.to - n.from + 1) * plot.x.step} y={plot.frame.top} height={height - plot.frame.top - plot.frame.bottom} />}
              <line x1={plot.x.at(n.from)} x2={plot.x.at(n.from)} y1={plot.frame.top} y2={height - plot.frame.bottom} />
            </g>
          ))}
          <Marks plot={plot} series={shown} kind={kind} open={open} />
        </svg>
      ),
    [plot, width, height, shown, kind, open, buckets, formatBucket, notes],
  );

  const under = (clientX: number) => (plot ? indexAt(clientX - box.current!.getBoundingClientRect().left, count, plot.frame) : 0);
  const still = () => {
    cancelAnimationFrame(moved.current.frame);
    moved.current.frame = 0;
  };
  useEffect(() => still, []);
  const onPointerMove = (e: PointerEvent) => {
    moved.current.x = e.clientX;
    // A mouse may report a thousand moves a second: one per frame is drawn.
    moved.current.frame ||= requestAnimationFrame(() => {
      moved.current.frame = 0;
      pointed.set({ ...pointed.get(), at: under(moved.current.x), spoken: false });
    });
  };
  const onPointerDown = (e: PointerEvent<HTMLElement>) => {
    const at = under(e.clientX);
    const zooms = onZoom !== undefined && e.button === 0 && e.pointerType !== 'touch';
    if (zooms) e.currentTarget.setPointerCapture(e.pointerId);
    pointed.set(zooms ? { at, from: at } : { at });
  };
  const onPointerUp = (e: PointerEvent) => {
    still();
    const { from } = pointed.get();
    const to = under(e.clientX);
    pointed.set({ at: to });
    if (from !== undefined && to !== from) onZoom?.(Math.min(from, to), Math.max(from, to));
    else openAt(to, e.clientY);
  };
  const openAt = (at: number, clientY?: number) => {
    const key = plot && nearest(plot, shown, at, clientY === undefined ? undefined : clientY - box.current!.getBoundingClientRect().top);
    if (key !== undefined) onOpen?.(at, key);
  };
  const onKeyDown = (e: KeyboardEvent) => {
    const { at } = pointed.get();
    const now = at === undefined || at >= count ? undefined : at;
    const to = { ArrowLeft: now === undefined ? count - 1 : now - 1, ArrowRight: now === undefined ? count - 1 : now + 1, Home: 0, End: count - 1 }[e.key];
    if (to !== undefined) {
      e.preventDefault();
      pointed.set({ at: Math.max(0, Math.min(count - 1, to)), spoken: true });
    }
    if (e.key === 'Enter' && now !== undefined && onOpen) {
      e.preventDefault(); // or the same Enter presses the first button of what opens
      openAt(now);
    }
    if (e.key === 'Escape') pointed.clear();
  };

  return (
    <figure className="chart" aria-label={label}>
      <div
        ref={box}
        className="plot"
        style={{ height }}
        tabIndex={0}
        role="group"
        aria-roledescription="chart"
        aria-label={`${label}. ${onZoom ? m.explore.chartHelpZoom : m.explore.chartHelp}`}
        data-zoom={onZoom ? '' : undefined}
        data-opens={onOpen ? '' : undefined}
        onKeyDown={onKeyDown}
        onDoubleClick={onZoomOut}
        onBlur={pointed.clear}
        onPointerMove={onPointerMove}
        onPointerDown={onPointerDown}
        onPointerUp={onPointerUp}
        onPointerCancel={() => {
          still();
          pointed.clear();
        }}
        onPointerLeave={(e) => {
          still();
          if (e.pointerType !== 'touch') pointed.clear(); // after a tap, the readout stays
        }}
      >
        {drawing}
        {plot && notes && notes.length > 0 && <Notes notes={notes} x={plot.x} format={formatBucketLong} buckets={buckets} top={height - plot.frame.bottom} />}
        {plot && <Readout store={pointed} frame={plot.frame} x={plot.x} y={plot.y} kind={kind} buckets={buckets} series={shown} open={open} format={formatBucketLong} value={formatValue} />}
      </div>
      {legend && (series.length > 1 || plot?.before.length !== 0) && <Legend series={series} shown={shown} only={only} setOnly={setOnly} before={plot?.before.length !== 0} />}
      <Spoken store={pointed} buckets={buckets} series={shown} open={open} format={formatBucketLong} value={formatValue} />
    </figure>
  );
}

function Legend({ series, shown, only, setOnly, before }: { series: readonly Series[]; shown: readonly Series[]; only: string | undefined; setOnly: (key: string | undefined) => void; before: boolean }) {
  return (
    <div className="legend">
      {series.length > 1 && series.map((s) => (
        <button key={s.key} type="button" aria-pressed={only === s.key} title={m.explore.isolate(s.label)} data-dim={!shown.includes(s) || undefined} onClick={() => setOnly(only === s.key ? undefined : s.key)}>
          <i className="swatch" style={{ color: colorOf(s) }} />
          <span className="truncate">{s.label}</span>
        </button>
      ))}
      {before && <span className="muted"><i className="swatch previous" />{m.explore.periodBefore}</span>}
    </div>
  );
}
