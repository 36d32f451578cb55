import type { CohortSizePoint } from '@nimbus-analytics/sdk';
import { useMemo } from 'react';
import type { Series } from '../../charts/series';
import { TimeChart } from '../../charts/TimeChart';
import { bucketLabel, date } from '../../format';
import { p } from '../../people/messages';

/** A point is the moment at which a week ended: the day before it is its last. */
export default function Trend({ series, tz }: { series: readonly CohortSizePoint[]; tz: string }) {
  const lines = useMemo((): Series[] => [{ key: 'size', label: p.cohorts.size, color: 0, total: null, values: series.map(({ size }) => size) }], [series]);
  const last = (iso: string) => new Date(Date.parse(iso) - 1).toISOString();
  const short = bucketLabel('1d', tz);
  return <TimeChart label={p.cohort.trend} buckets={series.map(({ at }) => at)} series={lines} kind="line" height={180} formatBucket={(iso) => short(last(iso))} formatBucketLong={(iso) => date(last(iso), tz)} />;
}
