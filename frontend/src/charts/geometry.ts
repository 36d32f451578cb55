/** Where everything of a chart is: pure functions of the data and the size, so that they can be tested without a page. */
import { scaleLinear } from 'd3-scale';
import { stack, stackOffsetDiverging, stackOffsetNone } from 'd3-shape';

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

const innerWidth = (frame: Frame) => Math.max(1, frame.width - frame.left - frame.right);

/** The middle of each bucket, and how wide its bar is. */
export function xScale(count: number, frame: Frame) {
  const step = innerWidth(frame) / count;
  const width = step * (count > 60 ? 0.9 : 0.75);
  const start = (i: number) => frame.left + step * i + (step - width) / 2;
  return { at: (i: number) => start(i) + width / 2, start, width, step };
}

/** The bucket under a point of the screen. */
export function indexAt(x: number, count: number, frame: Frame): number {
  return Math.max(0, Math.min(count - 1, Math.floor(((x - frame.left) / innerWidth(frame)) * count)));
}

/** The farthest an axis reaches: the difference of its ends must stay finite. */
const farthest = Number.MAX_VALUE / 4;

/** The y scale always includes zero: a cut axis exaggerates. It goes below zero only for negative values. */
export function yScale(groups: readonly (readonly (number | null)[])[], height: number, { top, bottom }: Pick<Frame, 'top' | 'bottom'>) {
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
  return scaleLinear().domain([Math.max(low, -farthest), Math.min(high, farthest)]).nice(4).range([height - bottom, top]).clamp(true);
}

/** Ticks of the y axis; whole numbers when the values are whole. */
export function yTicks(scale: ReturnType<typeof yScale>, whole: boolean): number[] {
  return scale.ticks(4).filter((t) => !whole || Number.isInteger(t));
}

/** As many labels as fit; the last bucket gets one if there is room. */
export function xTicks(count: number, frame: Frame, labelWidth = 72): number[] {
  const every = Math.max(1, Math.ceil((count * labelWidth) / innerWidth(frame)));
  return Array.from({ length: count }, (_, i) => i).filter((i) => (count - 1 - i) % every === 0);
}

const dayMinutes = 1440;
const clockSteps = [1, 5, 10, 15, 30, 60, 120, 180, 360, 720, dayMinutes, 2 * dayMinutes, 7 * dayMinutes, 14 * dayMinutes, 28 * dayMinutes];

/**
 * Labels for buckets shorter than a day, at full hours and midnights. The bucket's text has the local time of the
 * question's zone, which is right on days when the clocks change too.
 */
export function clockTicks(buckets: readonly string[], frame: Frame, labelWidth = 64): number[] {
  const wall = buckets.map((b) => Date.parse(`${b.slice(0, 16)}Z`) / 60_000);
  const [first, last] = [wall[0] ?? 0, wall.at(-1) ?? 0];
  const span = ((last - first) * buckets.length) / Math.max(1, buckets.length - 1);
  const room = innerWidth(frame) / labelWidth;
  const step = clockSteps.find((s) => span / s <= room) ?? clockSteps.at(-1)!;
  const x = xScale(buckets.length, frame);
  let left = -Infinity; // position of the last label: the hour that is repeated in autumn gets no second label
  return wall.flatMap((minutes, i) => {
    if (minutes % step !== 0 || x.at(i) - left < labelWidth * 0.9) return [];
    left = x.at(i);
    return [i];
  });
}

export interface Layer {
  key: string;
  spans: [number, number][];
}

/** Stacks the series: positive values upwards, negative ones downwards. A missing value has no height. */
export function layersOf(series: readonly Values[], count: number): Layer[] {
  const keys = series.map((s) => s.key);
  // Only with negative values: d3's diverging offset puts a missing value on the axis instead of on top of the stack.
  const below = series.some((s) => s.values.some((v) => v !== null && v < 0));
  const byKey = new Map(series.map((s) => [s.key, s.values]));
  return stack<number, string>()
    .keys(keys)
    .offset(below ? stackOffsetDiverging : stackOffsetNone)
    .value((i, key) => byKey.get(key)?.[i] ?? 0)(Array.from({ length: count }, (_, i) => i))
    .map((layer) => ({ key: layer.key, spans: layer.map((span) => [span[0], span[1]]) }));
}

/**
 * Chooses the points to draw when there are more points than pixels: of each pixel column the first, lowest, highest and
 * last of every series. The picture is the same: the omitted points lie on what is drawn.
 */
export function drawn(lists: readonly (readonly (number | null)[])[], count: number, columns: number): number[] | undefined {
  const most = 2 * lists.length + 2;
  if (columns < 1 || count <= columns * most) return undefined;
  const kept: number[] = [];
  for (let column = 0; column < columns; column++) {
    const from = Math.floor((column * count) / columns);
    const to = Math.floor(((column + 1) * count) / columns);
    const marks = new Set([from, to - 1]);
    for (const values of lists) {
      let low = -1;
      let high = -1;
      for (let i = from; i < to; i++) {
        const v = values[i];
        if (v === null || v === undefined) continue;
        if (low < 0 || v < values[low]!) low = i;
        if (high < 0 || v > values[high]!) high = i;
      }
      if (low >= 0) marks.add(low).add(high);
    }
    kept.push(...[...marks].sort((a, b) => a - b));
  }
  return kept;
}

/** When bars are thinner than a pixel: the one furthest from zero in each pixel column. */
export function peaks(layers: readonly Layer[], count: number, columns: number): number[] | undefined {
  if (columns < 1 || count <= columns) return undefined;
  const height = (i: number) => layers.reduce((most, layer) => Math.max(most, Math.abs(layer.spans[i]![0]), Math.abs(layer.spans[i]![1])), 0);
  return Array.from({ length: columns }, (_, column) => {
    const from = Math.floor((column * count) / columns);
    const to = Math.floor(((column + 1) * count) / columns);
    let peak = from;
    for (let i = from + 1; i < to; i++) if (height(i) > height(peak)) peak = i;
    return peak;
  });
}

/** The series at a height of a bucket: the layer that is drawn there, or the line that is closest. Without a height, the largest. */
export function nearest({ y, layers }: { y: ReturnType<typeof yScale>; layers: readonly Layer[] }, series: readonly Values[], at: number, top?: number): string | undefined {
  const there = series.filter((s) => s.values[at] !== null && s.values[at] !== undefined);
  if (top === undefined) return there.toSorted((a, b) => Math.abs(b.values[at]!) - Math.abs(a.values[at]!))[0]?.key;
  const layer = layers.find(({ spans }) => {
    const [low, high] = spans[at] ?? [0, 0];
    return low !== high && top <= y(low) && top >= y(high);
  });
  if (layers.length > 0) return layer?.key;
  const distance = (s: Values) => Math.abs(y(s.values[at]!) - top);
  return there.toSorted((a, b) => distance(a) - distance(b))[0]?.key;
}
