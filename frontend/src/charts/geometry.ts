/** Where everything of a chart is: pure functions of the data and the size, so that they can be tested without a page. */
import { scaleBand, scaleLinear } from 'd3-scale';
import { stack } from 'd3-shape';

export interface Frame {
  width: number;
  height: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface Values {
  key: string;
  values: readonly (number | null)[];
}

/** The middle of each bucket, and how wide its bar is. */
export function xScale(count: number, frame: Frame) {
  const band = scaleBand<number>()
    .domain(Array.from({ length: count }, (_, i) => i))
    .range([frame.left, frame.width - frame.right])
    .paddingInner(count > 60 ? 0.1 : 0.25)
    .paddingOuter(0.1);
  return { at: (i: number) => band(i)! + band.bandwidth() / 2, start: (i: number) => band(i)!, width: band.bandwidth(), step: band.step() };
}

/** The bucket under a point of the screen. */
export function indexAt(x: number, count: number, frame: Frame): number {
  const inner = frame.width - frame.left - frame.right;
  return Math.max(0, Math.min(count - 1, Math.floor(((x - frame.left) / inner) * count)));
}

/** From the axis at zero, always: a scale that begins elsewhere exaggerates. Below it only where values are. */
export function yScale(groups: readonly (readonly (number | null)[])[], frame: Frame) {
  let low = 0;
  let high = 0;
  for (const values of groups) {
    for (const v of values) {
      if (v === null) continue;
      if (v > high) high = v;
      if (v < low) low = v;
    }
  }
  if (high === 0 && low === 0) high = 1;
  return scaleLinear().domain([low, high]).nice(4).range([frame.height - frame.bottom, frame.top]);
}

/** Ticks that are whole numbers where the values are. */
export function yTicks(scale: ReturnType<typeof yScale>, whole: boolean): number[] {
  return scale.ticks(4).filter((t) => !whole || Number.isInteger(t));
}

/** As many labels as fit, the last bucket's among them where there is room. */
export function xTicks(count: number, frame: Frame, labelWidth = 72): number[] {
  const every = Math.max(1, Math.ceil((count * labelWidth) / (frame.width - frame.left - frame.right)));
  return Array.from({ length: count }, (_, i) => i).filter((i) => (count - 1 - i) % every === 0);
}

export interface Layer {
  key: string;
  spans: [number, number][];
}

/** The series one above the other. Nothing measured is no height. */
export function layersOf(series: readonly Values[], count: number): Layer[] {
  const keys = series.map((s) => s.key);
  const byKey = new Map(series.map((s) => [s.key, s.values]));
  return stack<number, string>()
    .keys(keys)
    .value((i, key) => byKey.get(key)?.[i] ?? 0)(Array.from({ length: count }, (_, i) => i))
    .map((layer) => ({ key: layer.key, spans: layer.map((span) => [span[0], span[1]]) }));
}
