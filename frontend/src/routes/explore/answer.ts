import type { MetricsQuery } from '@nimbus-analytics/sdk';
import { runMetricsQueryOptions } from '@nimbus-analytics/sdk/react-query';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { seriesOf } from './question';
import { windowBefore } from './range';
import type { ExploreState } from './search';

/** The answer to a question, that of the period before when they are compared, and what a chart draws of both. */
export function useAnswer(state: ExploreState, question: MetricsQuery, options: { enabled?: boolean; refetchInterval?: number } = {}) {
  const now = useQuery({ ...runMetricsQueryOptions({ body: question }), placeholderData: keepPreviousData, ...options });
  const { limit: _, ...whole } = question;
  const before = useQuery({
    ...runMetricsQueryOptions({ body: { ...whole, ...(now.data && windowBefore(now.data)) } }),
    enabled: state.compare === true && now.data !== undefined && !now.isPlaceholderData,
    placeholderData: keepPreviousData,
  });
  const result = now.data;
  const previous = state.compare ? before.data : undefined;
  const series = useMemo(() => (result ? seriesOf(state, result, previous) : []), [state, result, previous]);
  return {
    result,
    previous,
    series,
    empty: result !== undefined && series.every((s) => s.values.every((v) => !v)),
    fetching: now.isFetching,
    stale: now.isPlaceholderData,
    error: now.error ?? (state.compare ? before.error : null),
    refetch: () => void (now.error || !before.error ? now : before).refetch(),
  };
}
