import { type InstanceProject } from '@nimbus-analytics/sdk';
import { deleteInstanceProjectMutation, listInstanceProjectsInfiniteOptions, updateInstanceProjectMutation } from '@nimbus-analytics/sdk/react-query';
import { useInfiniteQuery, useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { queryClient, reloadProjects } from '../../api';
import { compact, number } from '../../format';
import { m } from '../../messages';
import { Button, Confirm, Failure, toast } from '../../ui';
import { Paged } from './Paged';

const reload = () => Promise.all([queryClient.invalidateQueries({ queryKey: [{ _id: 'listInstanceProjects' }] }), reloadProjects()]);
const query = { limit: 50 };

export function Projects() {
  const [deleting, setDeleting] = useState<InstanceProject>();
  const list = useInfiniteQuery({
    ...listInstanceProjectsInfiniteOptions({ query }),
    initialPageParam: { query },
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const change = useMutation({ ...updateInstanceProjectMutation(), onSuccess: (x) => toast(m.instance.changed(x.name)), onSettled: reload });
  return (
    <section className="panel">
      <header><h2>{m.instance.projects}</h2></header>
      {change.error && <div className="body"><Failure error={change.error} /></div>}
      <Paged list={list} head={[m.projects.name, m.instance.owners, m.instance.events, m.instance.bytes]}>
        {(x) => (
          <>
            <td><span className="row wrap"><span className="wrap-any">{x.name}</span>{x.disabled && <span className="badge">{m.instance.disabled}</span>}</span></td>
            <td data-label={m.instance.owners}><span className="wrap-any">{x.owners.join(', ')}</span></td>
            <td className="num" data-label={m.instance.events}>{number(x.events)}</td>
            <td className="num" data-label={m.instance.bytes}>{m.instance.about(compact(x.estimated_bytes))}</td>
            <td className="right">
              <span className="row wrap">
                <Button className="tiny" disabled={change.isPending} onClick={() => change.mutate({ path: { project_id: x.id }, body: { disabled: !x.disabled } })}>{x.disabled ? m.instance.enable : m.instance.disable}</Button>
                <Button className="tiny" onClick={() => setDeleting(x)}>{m.instance.remove}</Button>
              </span>
            </td>
          </>
        )}
      </Paged>
      {deleting && <Delete project={deleting} onClose={() => setDeleting(undefined)} />}
    </section>
  );
}

function Delete({ project, onClose }: { project: InstanceProject; onClose: () => void }) {
  const remove = useMutation({
    ...deleteInstanceProjectMutation(),
    onSuccess: async () => {
      onClose();
      toast(m.instance.removed(project.name));
      await reload();
    },
  });
  return (
    <Confirm
      title={m.instance.removeTitle(project.name)}
      text={m.instance.removeProjectText(number(project.events))}
      action={m.instance.remove}
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate({ path: { project_id: project.id } })}
      onClose={onClose}
    />
  );
}
