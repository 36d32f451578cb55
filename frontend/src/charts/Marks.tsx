/** The bars, areas and lines themselves. */
import { area, line } from 'd3-shape';
import { useMemo } from 'react';
import { drawn, peaks, type Frame, type Layer, type xScale, type yScale } from './geometry';
import { colorOf, type Series } from './series';

export interface Plot {
  frame: Frame;
  x: ReturnType<typeof xScale>;
  y: ReturnType<typeof yScale>;
  layers: Layer[];
  stacked: boolean;
  before: { key: string; color: Series['color']; values: readonly (number | null)[] }[];
}

interface Props {
  plot: Plot;
  series: readonly Series[];
  kind: 'line' | 'area' | 'bar';
  /** The first bucket that is not over, or -1. */
  open: number;
}

export function Marks({ plot, series, kind, open }: Props) {
  const { frame, x, y, layers, stacked, before } = plot;
  const count = Math.max(0, ...series.map((s) => s.values.length));
  const columns = Math.floor(frame.width - frame.left - frame.right);
  const all = useMemo(() => Array.from({ length: count }, (_, i) => i), [count]);
  // The line is solid up to the last finished bucket, and dashed from there.
  const dashedFrom = open > 0 ? open - 1 : -1;

  const curve = (key: string, color: Series['color'], values: readonly (number | null)[], old = false) => {
    const path = line<number>().defined((i) => values[i] !== null && values[i] !== undefined).x((i) => x.at(i)).y((i) => y(values[i] ?? 0)).digits(1);
    const points = drawn([values], count, columns) ?? all;
    const splits = dashedFrom >= 0 && !old;
    const only = values.filter((v) => v !== null).length === 1 ? values.findIndex((v) => v !== null) : -1;
    return (
      <g key={key} className={`line${old ? ' previous' : ''}${count > columns ? ' dense' : ''}`} stroke={colorOf({ color })}>
        <path d={path(splits ? [...points.filter((i) => i < dashedFrom), dashedFrom] : points) ?? ''} />
        {splits && <path d={path([dashedFrom, ...points.filter((i) => i > dashedFrom)]) ?? ''} strokeDasharray="3 4" />}
        {only >= 0 && <circle cx={x.at(only)} cy={y(values[only]!)} r={3} fill={colorOf({ color })} />}
      </g>
    );
  };

  return (
    <>
      {kind === 'bar' && <Bars plot={plot} series={series} points={peaks(layers, count, columns) ?? all} open={open} />}
      {kind === 'area' &&
        layers.map((layer, k) => {
          const s = series[k]!;
          const [lows, highs] = [layer.spans.map((span) => span[0]), layer.spans.map((span) => span[1])];
          const points = drawn([lows, highs], count, columns) ?? all;
          const fill = area<number>().defined((i) => s.values[i] !== null).x((i) => x.at(i)).y0((i) => y(lows[i]!)).y1((i) => y(highs[i]!)).digits(1);
          return (
            <g key={layer.key}>
              <path d={fill(points) ?? ''} fill={colorOf(s)} fillOpacity={stacked ? 0.22 : 0.14} />
              {curve(layer.key, s.color, stacked ? highs.map((v, i) => (s.values[i] === null ? null : v)) : s.values)}
            </g>
          );
        })}
      {before.map((b) => curve(`${b.key} before`, b.color, b.values, true))}
      {kind === 'line' && series.map((s) => curve(s.key, s.color, s.values))}
    </>
  );
}

function Bars({ plot: { x, y, layers, stacked }, series, points, open }: { plot: Plot; series: readonly Series[]; points: number[]; open: number }) {
  const side = stacked ? 1 : layers.length; // bars that do not add up are placed side by side
  const width = Math.max(0.5, x.width / side);
  return layers.map((layer, k) => (
    <g key={layer.key} fill={colorOf(series[k]!)}>
      {points.map((i) => {
        const [low, high] = layer.spans[i]!;
        if (low === high) return null;
        return <rect key={i} x={x.start(i) + (stacked ? 0 : k * width)} y={y(high)} width={width} height={y(low) - y(high)} rx={width > 6 ? 1.5 : 0} opacity={open >= 0 && i >= open ? 0.5 : undefined} />;
      })}
    </g>
  ));
}
