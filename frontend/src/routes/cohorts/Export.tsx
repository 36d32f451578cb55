import { exportCohort, type Cohort } from '@nimbus-analytics/sdk';
import { useMutation } from '@tanstack/react-query';
import { IconDownload } from '@tabler/icons-react';
import { download } from '../../lib/download';
import { p } from '../../people/messages';
import { Button, Failure } from '../../ui';

/** The ids of a cohort as the server writes them: another cohort can be made of the file. */
export function Export({ cohort, projectId }: { cohort: Cohort; projectId: string }) {
  const csv = useMutation({
    mutationFn: async () => (await exportCohort({ path: { project_id: projectId, cohort_id: cohort.id }, throwOnError: true })).data,
    onSuccess: (text) => download(`nimbus-${cohort.name.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, '-').replaceAll(/^-+|-+$/g, '') || 'cohort'}.csv`, new Blob([text], { type: 'text/csv;charset=utf-8' })),
  });
  return (
    <>
      <Button busy={csv.isPending} onClick={() => csv.mutate()}><IconDownload size={16} aria-hidden />{p.cohort.export}</Button>
      {csv.error && <Failure error={csv.error} />}
    </>
  );
}
