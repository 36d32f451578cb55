/** Asks before a cohort is deleted, and says what uses it. */
import { NimbusError, type Cohort } from '@nimbus-analytics/sdk';
import { deleteCohortMutation, getCohortOptions } from '@nimbus-analytics/sdk/react-query';
import { useMutation, useQuery } from '@tanstack/react-query';
import { refreshCohorts, refreshSaved } from '../../hooks';
import { m } from '../../messages';
import { p } from '../../people/messages';
import { Button, Dialog, Failure, Skeleton, toast } from '../../ui';
import { Uses } from './Use';

export function Removal({ cohort, projectId, onClose, onRemoved }: { cohort: Cohort; projectId: string; onClose: () => void; onRemoved: () => void }) {
  const path = { project_id: projectId, cohort_id: cohort.id };
  const fresh = useQuery({ ...getCohortOptions({ path }), staleTime: 0, refetchOnMount: 'always' });
  const uses = fresh.data?.used_by ?? [];
  const remove = useMutation({
    ...deleteCohortMutation(),
    onSuccess: async () => {
      onRemoved();
      toast(p.cohort.removed(cohort.name));
      await Promise.all([refreshCohorts(), refreshSaved()]);
    },
    onError: (error) => error instanceof NimbusError && error.code === 'in_use' && void fresh.refetch(), // somebody has just used it
  });
  return (
    <Dialog title={p.cohort.removeTitle(cohort.name)} onClose={onClose}>
      <div className="stack">
        <p className="muted">{p.cohort.removeText}</p>
        {fresh.isFetching && !fresh.data && <Skeleton height={48} />}
        {uses.length > 0 && (
          <>
            <p><strong>{p.cohort.inUse}</strong></p>
            <Uses uses={uses} projectId={projectId} />
            <p className="muted">{p.cohort.inUseText}</p>
          </>
        )}
        {remove.error && <Failure error={remove.error} />}
      </div>
      <div className="actions">
        <Button onClick={onClose}>{m.cancel}</Button>
        <Button kind="danger" busy={remove.isPending} disabled={fresh.isFetching} onClick={() => remove.mutate({ path, query: { force: uses.length > 0 } })}>{uses.length > 0 ? p.cohort.force : p.cohorts.remove}</Button>
      </div>
    </Dialog>
  );
}
