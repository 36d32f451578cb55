/** The annotations of a project, at the buckets of an answer. */
import { listAnnotationsOptions } from '@nimbus-analytics/sdk/react-query';
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { placed, type Placed } from '../charts/notes';
import { useProjectId } from '../hooks';

const minute = 60_000;

export function useNotes(buckets: readonly string[]): Placed[] {
  const project_id = useProjectId();
  const { data } = useQuery({ ...listAnnotationsOptions({ path: { project_id } }), staleTime: minute });
  return useMemo(() => placed(data?.items ?? [], buckets), [data, buckets]);
}
