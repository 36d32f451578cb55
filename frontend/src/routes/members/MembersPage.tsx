import { type Member, type MemberList, type Role } from '@nimbus-analytics/sdk';
import { listApiKeysOptions, listMembersOptions, removeMemberMutation, updateMemberMutation } from '@nimbus-analytics/sdk/react-query';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { queryClient, reloadProjects, useAccount } from '../../api';
import { date } from '../../format';
import { useCan, useProject, useTitle } from '../../hooks';
import { m } from '../../messages';
import { zonePref } from '../../prefs';
import { Button, Confirm, Failure, NeedsRole, Skeleton, toast } from '../../ui';
import { Invitations } from './Invitations';
import './members.css';

const roles: Role[] = ['viewer', 'admin', 'owner'];
const reload = () => queryClient.invalidateQueries({ queryKey: [{ _id: 'listMembers' }] });

export function MembersPage() {
  useTitle(m.members.title);
  const project = useProject()!;
  const can = useCan();
  const zone = zonePref.use();
  const me = useAccount();
  const path = { project_id: project.id };
  const options = listMembersOptions({ path });
  const list = useQuery(options);
  const [removing, setRemoving] = useState<Member>();
  const owners = (list.data?.items ?? []).filter((x) => x.role === 'owner').length;

  // Shown at once (optimistically); rolled back when the server refuses.
  const change = useMutation({
    ...updateMemberMutation(),
    onMutate: async ({ path: { account_id }, body: { role } }) => {
      await queryClient.cancelQueries(options);
      const before = queryClient.getQueryData(options.queryKey);
      queryClient.setQueryData(options.queryKey, (old: MemberList | undefined) => old && { items: old.items.map((x) => (x.account_id === account_id ? { ...x, role } : x)) });
      return before;
    },
    onError: (_, __, before) => queryClient.setQueryData(options.queryKey, before),
    onSuccess: (x) => toast(m.members.changed(x.email, m.projects.role[x.role])),
    onSettled: (x) => Promise.all([reload(), x?.account_id === me?.id && reloadProjects()]),
  });

  return (
    <div className="stack" style={{ maxWidth: 880, gap: 20 }}>
      <header className="page-head" style={{ marginBottom: 0 }}>
        <h1>{m.members.title}</h1>
        <p className="lead">{m.members.lead}</p>
      </header>
      {can('admin') ? <Invitations projectId={project.id} canMakeOwners={can('owner')} /> : <NeedsRole>{m.members.readOnly}</NeedsRole>}
      {change.error && <Failure error={change.error} />}
      {list.error && !list.data ? (
        <Failure error={list.error} retry={() => void list.refetch()} />
      ) : !list.data ? (
        <Skeleton height={160} />
      ) : (
        <div className="panel">
          <table className="table cards members">
            <thead>
              <tr><th>{m.members.email}</th><th>{m.members.role}</th><th>{m.members.since}</th><th><span className="sr">{m.keys.actions}</span></th></tr>
            </thead>
            <tbody>
              {list.data.items.map((x) => {
                const self = x.account_id === me?.id;
                const last = x.role === 'owner' && owners === 1;
                const mayChange = can('owner') || (can('admin') && x.role !== 'owner');
                return (
                  <tr key={x.account_id}>
                    <td><span className="row"><span className="wrap-any">{x.email}</span>{self && <span className="badge">{m.members.you}</span>}</span></td>
                    <td>
                      {mayChange && !last ? (
                        <select className="input role" aria-label={m.members.roleOf(x.email)} value={x.role} disabled={change.isPending} onChange={(e) => change.mutate({ path: { ...path, account_id: x.account_id }, body: { role: e.target.value as Role } })}>
                          {roles.filter((r) => r !== 'owner' || can('owner')).map((r) => (
                            <option key={r} value={r}>{m.projects.role[r]}</option>
                          ))}
                        </select>
                      ) : (
                        m.projects.role[x.role]
                      )}
                      {last && can('admin') && <p className="muted small why">{m.members.lastOwner}</p>}
                      {!last && !mayChange && can('admin') && <p className="muted small why">{m.members.onlyOwners}</p>}
                    </td>
                    <td className="muted num" data-label={m.members.since}>{date(x.added_at, zone)}</td>
                    <td className="right">
                      {(self || mayChange) && !last && (
                        <Button className="tiny" aria-label={self ? m.members.leave : m.members.removeWho(x.email)} onClick={() => setRemoving(x)}>{self ? m.members.leave : m.members.remove}</Button>
                      )}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
      {removing && <Remove projectId={project.id} projectName={project.name} member={removing} self={removing.account_id === me?.id} onClose={() => setRemoving(undefined)} />}
    </div>
  );
}

function Remove({ projectId, projectName, member, self, onClose }: { projectId: string; projectName: string; member: Member; self: boolean; onClose: () => void }) {
  const navigate = useNavigate();
  const can = useCan();
  const [revoke, setRevoke] = useState(false);
  const keys = useQuery(listApiKeysOptions({ path: { project_id: projectId } }));
  const theirs = (keys.data?.items ?? []).filter((k) => k.created_by === member.account_id);
  const remove = useMutation({
    ...removeMemberMutation(),
    onSuccess: async () => {
      onClose();
      toast(self ? m.members.left(projectName) : m.members.removed(member.email));
      if (!self) return reload();
      await navigate({ to: '/projects' });
      return reloadProjects();
    },
  });
  return (
    <Confirm
      title={self ? m.members.leaveTitle(projectName) : m.members.removeTitle(member.email)}
      text={
        <>
          {self ? m.members.leaveText : m.members.removeText}
          {theirs.length > 0 && can('admin') && (
            <label className="row"><input type="checkbox" checked={revoke} onChange={(e) => setRevoke(e.target.checked)} /><span>{m.members.revokeKeys(theirs.map((k) => k.name).join(', '))}</span></label>
          )}
        </>
      }
      action={self ? m.members.leave : m.members.remove}
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate({ path: { project_id: projectId, account_id: member.account_id }, ...(revoke && { query: { revoke_keys: true } }) })}
      onClose={onClose}
    />
  );
}
