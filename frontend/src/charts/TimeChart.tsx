/** Lines, areas or bars over time, as SVG: coloured by the style sheet, readable by keyboard and screen reader. */
import { area, line, type Area, type Line } from 'd3-shape';
import { useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent } from 'react';
import { compact, number } from '../format';
import { m } from '../messages';
import { indexAt, layersOf, xScale, xTicks, yScale, yTicks, type Frame } from './geometry';
import './chart.css';

export interface Series {
  key: string;
  label: string;
  color: number | 'other';
  total: number | null;
  values: (number | null)[];
  /** Of the period before: drawn pale behind the series of the same colour. */
  previous?: boolean;
}

interface Props {
  label: string;
  buckets: readonly string[];
  series: readonly Series[];
  kind: 'line' | 'area' | 'bar';
  formatBucket: (iso: string) => string;
  formatBucketLong: (iso: string) => string;
  /** From this bucket on, time is not over: the line is dashed and the bars are pale. */
  incompleteFrom?: string | undefined;
  height?: number;
  legend?: boolean;
  onZoom?: (from: number, to: number) => void;
}

export const colorOf = (s: Pick<Series, 'color'>) => (s.color === 'other' ? 'var(--series-other)' : `var(--series-${s.color % 8})`);

export function TimeChart({ label, buckets, series, kind, formatBucket, formatBucketLong, incompleteFrom, height = 300, legend = true, onZoom }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [pointed, setAt] = useState<number>();
  const [dragFrom, setDragFrom] = useState<number>();
  const [only, setOnly] = useState<string>();

  useLayoutEffect(() => {
    const element = box.current!;
    const measure = () => setWidth(element.clientWidth);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const shown = useMemo(() => {
    const chosen = series.some((s) => s.key === only) ? series.filter((s) => s.key === only || s.key === `${only} before`) : series;
    return { all: chosen, current: chosen.filter((s) => !s.previous), previous: chosen.filter((s) => s.previous) };
  }, [series, only]);

  const count = buckets.length;
  const at = pointed !== undefined && pointed < count ? pointed : undefined; // another answer may be shorter
  const open = useMemo(() => (incompleteFrom === undefined ? -1 : buckets.findIndex((b) => Date.parse(b) >= Date.parse(incompleteFrom))), [buckets, incompleteFrom]);
  const plot = useMemo((): Plot | undefined => {
    if (width === 0 || count === 0) return undefined;
    const layers = kind === 'line' ? [] : layersOf(shown.current, count);
    const tops = kind === 'line' ? shown.all.map((s) => s.values) : [...layers.map((l) => l.spans.map((s) => s[1])), ...shown.previous.map((s) => s.values)];
    const whole = shown.all.every((s) => s.values.every((v) => v === null || Number.isInteger(v)));
    const frame: Frame = { width, height, left: 46, right: 8, top: 10, bottom: 26 };
    const y = yScale(tops, frame);
    const x = xScale(count, frame);
    return {
      frame, x, y, layers,
      yTicks: yTicks(y, whole),
      xTicks: xTicks(count, frame),
      line: line<number | null>().defined((v) => v !== null).x((_, i) => x.at(i)).y((v) => y(v ?? 0)),
      area: area<[number, number]>().x((_, i) => x.at(i)).y0((s) => y(s[0])).y1((s) => y(s[1])),
    };
  }, [width, height, count, kind, shown]);

  // Drawn once for each answer and not at every move of the pointer: ten thousand points are a path of 130 kB.
  const marks = useMemo(() => plot && <Marks plot={plot} shown={shown} kind={kind} open={open} />, [plot, shown, kind, open]);

  const under = (e: PointerEvent) => (plot ? indexAt(e.clientX - box.current!.getBoundingClientRect().left, count, plot.frame) : 0);
  const onKeyDown = (e: KeyboardEvent) => {
    const now = at ?? count - 1;
    const to = { ArrowLeft: at === undefined ? now : now - 1, ArrowRight: now + 1, Home: 0, End: count - 1 }[e.key];
    if (to !== undefined) {
      e.preventDefault();
      setAt(Math.max(0, Math.min(count - 1, to)));
    }
    if (e.key === 'Escape') setAt(undefined);
  };
  const read = (i: number) => `${formatBucketLong(buckets[i]!)}${open >= 0 && i >= open ? ` (${m.explore.soFar})` : ''}: ${shown.all.map((s) => `${s.label} ${s.values[i] === null ? m.explore.noData : number(s.values[i])}`).join(', ')}`;

  return (
    <figure className="chart" aria-label={label}>
      <div
        ref={box}
        className="plot"
        style={{ height }}
        tabIndex={0}
        role="group"
        aria-roledescription="chart"
        aria-label={`${label}. ${m.explore.chartHelp}`}
        data-zoom={onZoom ? '' : undefined}
        onKeyDown={onKeyDown}
        onBlur={() => setAt(undefined)}
        onPointerMove={(e) => setAt(under(e))}
        onPointerLeave={() => {
          setAt(undefined);
          setDragFrom(undefined);
        }}
        onPointerDown={(e) => {
          if (onZoom && e.button === 0 && e.pointerType !== 'touch') setDragFrom(under(e));
        }}
        onPointerUp={(e) => {
          const to = under(e);
          if (dragFrom !== undefined && to !== dragFrom) onZoom?.(Math.min(dragFrom, to), Math.max(dragFrom, to));
          setDragFrom(undefined);
        }}
      >
        {plot && (
          <svg width={width} height={height} aria-hidden="true">
            {plot.yTicks.map((t) => (
              <g key={t}>
                <line className={t === 0 ? 'axis' : 'grid'} x1={plot.frame.left} x2={width - plot.frame.right} y1={plot.y(t)} y2={plot.y(t)} />
                <text className="tick" x={plot.frame.left - 9} y={plot.y(t)} dy="0.32em" textAnchor="end">{compact(t)}</text>
              </g>
            ))}
            {plot.xTicks.map((i) => (
              <text key={i} className="tick" x={Math.min(plot.x.at(i), width - 20)} y={height - 7} textAnchor="middle">{formatBucket(buckets[i]!)}</text>
            ))}
            {at !== undefined && kind === 'bar' && <rect className="band" x={plot.x.at(at) - plot.x.step / 2} y={plot.frame.top} width={plot.x.step} height={height - plot.frame.top - plot.frame.bottom} />}
            {marks}
            {dragFrom !== undefined && at !== undefined && at !== dragFrom && (
              <rect className="zoom" x={Math.min(plot.x.at(dragFrom), plot.x.at(at))} y={plot.frame.top} width={Math.abs(plot.x.at(at) - plot.x.at(dragFrom))} height={height - plot.frame.top - plot.frame.bottom} />
            )}
            {at !== undefined && kind !== 'bar' && (
              <>
                <line className="cross" x1={plot.x.at(at)} x2={plot.x.at(at)} y1={plot.frame.top} y2={height - plot.frame.bottom} />
                {kind === 'line' && shown.current.map((s) => s.values[at] !== null && s.values[at] !== undefined && <circle key={s.key} className="point" cx={plot.x.at(at)} cy={plot.y(s.values[at])} r={4} fill={colorOf(s)} />)}
              </>
            )}
          </svg>
        )}
        {plot && at !== undefined && <Tooltip x={plot.x.at(at)} width={width} title={formatBucketLong(buckets[at]!)} note={open >= 0 && at >= open ? m.explore.soFar : undefined} series={shown.all} at={at} />}
      </div>
      {legend && series.length > 1 && (
        <div className="legend">
          {series.map((s) => (
            <button key={s.key} type="button" aria-pressed={only === s.key} title={m.explore.isolate(s.label)} data-dim={(only !== undefined && !shown.all.includes(s)) || undefined} onClick={() => setOnly(only === s.key ? undefined : s.key)}>
              <i className={`swatch ${s.previous ? 'previous' : ''}`} style={{ color: colorOf(s) }} />
              <span className="truncate">{s.label}</span>
            </button>
          ))}
        </div>
      )}
      <div className="sr" aria-live="polite">{at === undefined ? '' : read(at)}</div>
    </figure>
  );
}

interface Plot {
  frame: Frame;
  x: ReturnType<typeof xScale>;
  y: ReturnType<typeof yScale>;
  layers: ReturnType<typeof layersOf>;
  yTicks: ReturnType<typeof yTicks>;
  xTicks: ReturnType<typeof xTicks>;
  line: Line<number | null>;
  area: Area<[number, number]>;
}

/** The bars, areas and lines themselves. */
function Marks({ plot, shown, kind, open }: { plot: Plot; shown: { current: Series[]; previous: Series[] }; kind: Props['kind']; open: number }) {
  // A line's finished part ends at the last finished bucket; the rest is drawn again, dashed.
  const dashedFrom = open > 0 ? open - 1 : -1;
  const draw = (s: Series, values: (number | null)[]) => {
    const single = values.filter((v) => v !== null).length === 1;
    const solid = dashedFrom < 0 || s.previous ? values : values.map((v, i) => (i <= dashedFrom ? v : null));
    const dashed = dashedFrom < 0 || s.previous ? [] : values.map((v, i) => (i >= dashedFrom ? v : null));
    return (
      <g key={s.key} className={s.previous ? 'line previous' : 'line'} stroke={colorOf(s)}>
        <path d={plot.line(solid) ?? ''} />
        {dashed.length > 0 && <path d={plot.line(dashed) ?? ''} strokeDasharray="3 4" />}
        {single && values.map((v, i) => v !== null && <circle key={i} cx={plot.x.at(i)} cy={plot.y(v)} r={3} fill={colorOf(s)} />)}
      </g>
    );
  };
  return (
    <>
      {kind === 'bar' &&
        plot.layers.map((layer, k) => (
          <g key={layer.key} fill={colorOf(shown.current[k]!)}>
            {layer.spans.map(([low, high], i) => (
              <rect key={i} x={plot.x.start(i)} y={Math.min(plot.y(low), plot.y(high))} width={plot.x.width} height={Math.abs(plot.y(low) - plot.y(high))} rx={plot.x.width > 6 ? 1.5 : 0} opacity={open >= 0 && i >= open ? 0.5 : 1} />
            ))}
          </g>
        ))}
      {kind === 'area' &&
        plot.layers.map((layer, k) => (
          <g key={layer.key}>
            <path d={plot.area(layer.spans) ?? ''} fill={colorOf(shown.current[k]!)} fillOpacity={0.18} />
            {draw(shown.current[k]!, layer.spans.map((s) => s[1]))}
          </g>
        ))}
      {shown.previous.map((s) => draw(s, s.values))}
      {kind === 'line' && shown.current.map((s) => draw(s, s.values))}
    </>
  );
}

function Tooltip({ x, width, title, note, series, at }: { x: number; width: number; title: string; note: string | undefined; series: readonly Series[]; at: number }) {
  const rows = [...series].sort((a, b) => Number(a.previous ?? false) - Number(b.previous ?? false) || (b.values[at] ?? -Infinity) - (a.values[at] ?? -Infinity)).slice(0, 12);
  const side = x > width / 2 ? { right: width - x + 14 } : { left: x + 14 };
  return (
    <div className="tooltip" style={side}>
      <strong>{title}</strong>{note && <span className="muted"> {note}</span>}
      {rows.map((s) => (
        <div key={s.key} className={s.previous ? 'muted' : ''}>
          <i className={`swatch ${s.previous ? 'previous' : ''}`} style={{ color: colorOf(s) }} />
          <span className="truncate">{s.label}</span>
          <b className="num">{number(s.values[at])}</b>
        </div>
      ))}
    </div>
  );
}
