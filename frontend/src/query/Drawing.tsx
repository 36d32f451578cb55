import type { MetricsResult } from '@nimbus-analytics/sdk';
import { useMemo } from 'react';
import type { Series } from '../charts/series';
import { TimeChart } from '../charts/TimeChart';
import { bucketLabel } from '../format';
import { isAdditive } from './question';
import { isClock } from './range';

interface Props {
  label: string;
  result: MetricsResult;
  previous?: MetricsResult | undefined;
  series: readonly Series[];
  kind: 'line' | 'area' | 'bar';
  height: number;
  legend?: boolean;
  only?: string | undefined;
  onOnly?: (key: string | undefined) => void;
  onZoomOut?: (() => void) | undefined;
  onZoom?: (range: { from: string; to: string }) => void;
}

/** The chart of an answer over time. */
export function Drawing({ result, previous, onZoom, ...rest }: Props) {
  const times = useMemo(() => result.series.map((p) => p.ts), [result]);
  const additive = isAdditive(result);
  const wholeBefore = useMemo(() => (additive ? previous?.series.map((p) => p.value) : undefined), [additive, previous]);
  const { bucket, tz } = result;
  const [short, long] = useMemo(() => [bucketLabel(bucket, tz), bucketLabel(bucket, tz, true)], [bucket, tz]);
  return (
    <TimeChart
      {...rest}
      buckets={times}
      additive={additive}
      wholeBefore={wholeBefore}
      clock={isClock(bucket)}
      formatBucket={short}
      formatBucketLong={long}
      incompleteFrom={result.meta.incomplete_from}
      {...(onZoom && { onZoom: (from: number, to: number) => onZoom({ from: new Date(times[from]!).toISOString(), to: new Date(times[to + 1] ?? result.to).toISOString() }) })}
    />
  );
}
