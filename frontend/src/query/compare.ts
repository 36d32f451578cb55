/** Comparing with the period before: a period that is still running is compared with an equally long part of the one before. */
import type { Bucket, MetricsQuery, MetricsResult } from '@nimbus-analytics/sdk';
import { addDays, isoDay, startOfDay } from '../format';
import { bucketMs, buckets } from './range';

export interface Comparison {
  /** Two answers for spans of equal length; only their totals are compared. */
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

/** An empty span, for a question that is not asked. */
export const nowhere: Part = { bucket: '1d', from: '', to: '' };

const mostPoints = 2500;

/**
 * Cuts a running period and the one before to parts of equal length; undefined while the period has hardly begun. The
 * server answers in whole buckets, so both parts end with a whole bucket, of the finest width that stays within the
 * limit of points. Distinct people are asked for over each part: they cannot be added up.
 */
export function partsOf(now: MetricsResult, before: MetricsResult, at: number): { now: Part; before: Part } | undefined {
  const open = now.series.findIndex((p) => p.ts === now.meta.incomplete_from);
  const [running, earlier] = [now.series[open], before.series[open]];
  if (!running || !earlier) return undefined;
  const endOf = (r: MetricsResult) => Date.parse(r.series[open + 1]?.ts ?? r.to);
  const span = Date.parse(now.to) - Date.parse(now.from);
  // Weeks do not divide months.
  const bucket = buckets.find((b) => bucketMs[b] <= bucketMs[now.bucket] && (b !== '1w' || now.bucket === '1w') && span / bucketMs[b] <= mostPoints) ?? now.bucket;
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

/** Whether an answer covers exactly the part that was asked for. */
export const isOf = (answer: MetricsResult, part: Part) => Date.parse(answer.from) === Date.parse(part.from) && Date.parse(answer.to) === Date.parse(part.to);

/** The same question for another span. */
export function during(question: MetricsQuery, part: Part): MetricsQuery {
  const { limit: _, ...rest } = question;
  return { ...rest, ...part };
}
