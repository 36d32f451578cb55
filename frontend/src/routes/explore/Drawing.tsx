import type { MetricsResult } from '@nimbus-analytics/sdk';
import { useMemo } from 'react';
import { TimeChart, type Series } from '../../charts/TimeChart';
import { bucketLabel } from '../../format';

/** An answer over time. */
export function Drawing({ label, result, series, kind, height, onZoom }: { label: string; result: MetricsResult; series: Series[]; kind: 'line' | 'area' | 'bar'; height: number; onZoom?: (range: { from: string; to: string }) => void }) {
  const times = useMemo(() => result.series.map((p) => p.ts), [result]);
  return (
    <TimeChart
      label={label}
      buckets={times}
      series={series}
      kind={kind}
      height={height}
      formatBucket={bucketLabel(result.bucket, result.tz)}
      formatBucketLong={bucketLabel(result.bucket, result.tz, true)}
      incompleteFrom={result.meta.incomplete_from}
      {...(onZoom && { onZoom: (from: number, to: number) => onZoom({ from: new Date(times[from]!).toISOString(), to: new Date(times[to + 1] ?? result.to).toISOString() }) })}
    />
  );
}
