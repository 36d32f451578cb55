import { runMetricsQuery, type MetricsQuery, type NimbusError } from '@nimbus-analytics/sdk';
import { runMetricsQueryOptions, runMetricsQueryQueryKey } from '@nimbus-analytics/sdk/react-query';
import { hashKey, keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { serverTime } from '../api';
import { during, isOf, nowhere, partsOf, type Comparison } from './compare';
import { windowBefore } from './range';

interface Options {
  /** The period before, where it is not as long as this one: the month before has other days. */
  before?: { from: string; to: string } | undefined;
  enabled?: boolean;
  refetchInterval?: number;
}

/** The answer to a question, that of the period before, and two totals that can be compared. */
export function useCompared(question: MetricsQuery, { before: span, ...options }: Options = {}) {
  const now = useQuery({ ...runMetricsQueryOptions({ body: question }), placeholderData: keepPreviousData, ...options });
  const stale = now.isPlaceholderData;
  const answered = stale ? undefined : now.data;
  const asks = answered !== undefined;

  const whole = during(question, asks ? (span ? { bucket: answered.bucket, ...span } : windowBefore(answered)) : nowhere);
  const before = useQuery({ ...runMetricsQueryOptions({ body: whole }), enabled: asks, placeholderData: stale ? keepPreviousData : undefined });
  const previous = before.data;

  const running = now.data?.meta.incomplete_from !== undefined;
  const parts = useMemo(() => (running && answered && previous ? partsOf(answered, previous, serverTime(now.dataUpdatedAt)) : undefined), [running, answered, previous, now.dataUpdatedAt]);
  const bodies = [during(question, parts?.now ?? nowhere), during(question, parts?.before ?? nowhere)] as const;
  const pair = useQuery<Comparison | null, NimbusError>({
    queryKey: [...runMetricsQueryQueryKey({ body: bodies[0] }), bodies[1]],
    queryFn: async ({ signal }) => {
      const [a, b] = await Promise.all(bodies.map(async (body) => (await runMetricsQuery({ body, signal, throwOnError: true })).data));
      return parts && a && b && isOf(a, parts.now) && isOf(b, parts.before) ? { now: a, before: b, until: a.to } : null;
    },
    enabled: parts !== undefined,
    // While the next minute's comparison loads, the last one stays; that of another question never does.
    placeholderData: (data, query) => (stale || (query && sameStart(query.queryKey.at(-1), bodies[1])) ? data : undefined),
  });
  return {
    result: now.data,
    previous,
    comparison: useMemo((): Comparison | undefined => (now.data && previous ? (running ? (pair.data ?? undefined) : { now: now.data, before: previous }) : undefined), [now.data, previous, running, pair.data]),
    fetching: now.isFetching,
    stale,
    error: now.error ?? before.error ?? pair.error,
    refetch: () => void (now.error ? now : before.error ? before : pair.error ? pair : now).refetch(),
  };
}

const sameStart = (a: unknown, b: MetricsQuery) => hashKey([{ ...(a as MetricsQuery), to: undefined }]) === hashKey([{ ...b, to: undefined }]);
