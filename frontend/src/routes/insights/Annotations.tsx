/** What happened when: the annotations of the project, and a new one. */
import { createAnnotationMutation, deleteAnnotationMutation, listAnnotationsOptions } from '@nimbus-analytics/sdk/react-query';
import { useMutation, useQuery } from '@tanstack/react-query';
import { IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import { idempotencyKey, sentAgain } from '../../api';
import { dateTime, instantOf, wallOf } from '../../format';
import { refreshSaved, useCan } from '../../hooks';
import { w } from '../../insights/messages';
import { Button, Dialog, Failure, IconButton, Skeleton, TextField, toast } from '../../ui';

export default function Annotations({ projectId, zone, onClose }: { projectId: string; zone: string; onClose: () => void }) {
  const list = useQuery(listAnnotationsOptions({ path: { project_id: projectId } }));
  const canEdit = useCan()('admin');
  const create = useMutation({
    ...createAnnotationMutation(),
    ...sentAgain,
    onSuccess: async (made) => {
      await refreshSaved();
      toast(w.notes.added(made.text));
      onClose();
    },
  });
  const remove = useMutation({ ...deleteAnnotationMutation(), onSuccess: refreshSaved });
  const [now] = useState(Date.now);
  const items = [...(list.data?.items ?? [])].reverse();
  return (
    <Dialog title={w.notes.title} onClose={onClose}>
      <div className="stack">
        <p className="muted">{w.notes.lead}</p>
        {canEdit && (
          <form
            className="stack"
            onSubmit={(e) => {
              e.preventDefault();
              const form = new FormData(e.currentTarget);
              const ts = new Date(instantOf(Date.parse(`${form.get('when') as string}Z`), zone)).toISOString();
              create.mutate({ path: { project_id: projectId }, headers: idempotencyKey(), body: { ts, text: (form.get('text') as string).trim() } });
            }}
          >
            <TextField label={w.notes.text} name="text" placeholder={w.notes.placeholder} required maxLength={500} pattern=".*\S.*" autoFocus />
            <TextField label={`${w.notes.when} (${zone})`} name="when" type="datetime-local" required defaultValue={new Date(wallOf(now, zone)).toISOString().slice(0, 16)} />
            {create.error && <Failure error={create.error} />}
            <Button kind="primary" type="submit" busy={create.isPending}>{w.notes.add}</Button>
          </form>
        )}
        {list.error ? <Failure error={list.error} retry={() => void list.refetch()} /> : !list.data ? <Skeleton height={60} /> : items.length === 0 ? <p className="muted">{w.notes.none}</p> : (
          <ul className="stack tight">
            {items.map((a) => (
              <li key={a.id} className="row">
                <span className="grow wrap-any">{a.text}<br /><span className="muted small">{dateTime(a.ts, zone)}</span></span>
                {canEdit && <IconButton className="tiny" label={w.notes.remove(a.text)} icon={IconTrash} onClick={() => remove.mutate({ path: { project_id: projectId, annotation_id: a.id } })} />}
              </li>
            ))}
          </ul>
        )}
        {remove.error && <Failure error={remove.error} />}
      </div>
    </Dialog>
  );
}
