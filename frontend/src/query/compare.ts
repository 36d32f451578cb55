/** Like with like: a period that is still running is compared with the part of the one before that is as long. */
import type { Bucket, MetricsQuery, MetricsResult } from '@nimbus-analytics/sdk';
import { addDays, isoDay, startOfDay } from '../format';
import { bucketMs, buckets } from './range';

export interface Comparison {
  /** Two answers about stretches of the same length; of their numbers only the totals are meant. */
  now: MetricsResult;
  before: MetricsResult;
  /** Where the running period was cut; absent when it is over. */
  until?: string;
}

export interface Part {
  bucket: Bucket;
  from: string;
  to: string;
}

/** No stretch of time: a question of it is never asked. */
export const nowhere: Part = { bucket: '1d', from: '', to: '' };

const mostPoints = 2500;
const mostOfAll = 25_000;

/**
 * The parts of a running period and of the one before up to which both can be measured exactly, or nothing while the
 * period has hardly begun. The server answers in whole buckets, so both end with the last whole bucket of the finest
 * width that makes few enough points; distinct people are measured over each part, never added up.
 */
export function partsOf(now: MetricsResult, before: MetricsResult, at: number, series: number): { now: Part; before: Part } | undefined {
  const open = now.series.findIndex((p) => p.ts === now.meta.incomplete_from);
  const [running, earlier] = [now.series[open], before.series[open]];
  if (!running || !earlier) return undefined;
  const endOf = (r: MetricsResult) => Date.parse(r.series[open + 1]?.ts ?? r.to);
  const span = Date.parse(now.to) - Date.parse(now.from);
  // Weeks begin within months, and days within both.
  const bucket = buckets.find((b) => bucketMs[b] <= bucketMs[now.bucket] && (b !== '1w' || now.bucket === '1w') && span / bucketMs[b] <= Math.min(mostPoints, mostOfAll / series)) ?? now.bucket;
  const reached = Math.min(at, endOf(now));
  const [start, startBefore] = [Date.parse(running.ts), Date.parse(earlier.ts)];
  let cut = start;
  let cutBefore = startBefore;
  if (bucket === '1d' && now.bucket !== '1d') {
    const days = Math.round((Date.parse(isoDay(reached, now.tz)) - Date.parse(isoDay(start, now.tz))) / bucketMs['1d']);
    cut = startOfDay(addDays(isoDay(start, now.tz), days), now.tz).getTime();
    cutBefore = startOfDay(addDays(isoDay(startBefore, now.tz), days), now.tz).getTime();
  } else if (bucket !== now.bucket) {
    const elapsed = Math.max(0, Math.floor((reached - start) / bucketMs[bucket]) * bucketMs[bucket]);
    cut += elapsed;
    cutBefore += elapsed;
  }
  cutBefore = Math.min(cutBefore, endOf(before)); // February is over before the 31st
  if (cut <= Date.parse(now.from)) return undefined;
  const part = (r: MetricsResult, to: number): Part => ({ bucket, from: new Date(r.from).toISOString(), to: new Date(to).toISOString() });
  return { now: part(now, cut), before: part(before, cutBefore) };
}

/** Whether an answer is of the part that was asked for, and of no minute more. */
export const isOf = (answer: MetricsResult, part: Part) => Date.parse(answer.from) === Date.parse(part.from) && Date.parse(answer.to) === Date.parse(part.to);

/** A question of another stretch of time. */
export function during(question: MetricsQuery, part: Part): MetricsQuery {
  const { limit: _, ...rest } = question;
  return { ...rest, ...part };
}
