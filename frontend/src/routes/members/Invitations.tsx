/** Inviting somebody, and the invitations that wait. */
import type { Invitation, InvitationWithToken, Role } from '@nimbus-analytics/sdk';
import { createInvitationMutation, listInvitationsOptions, revokeInvitationMutation } from '@nimbus-analytics/sdk/react-query';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { idempotencyKey, queryClient, sentAgain } from '../../api';
import { date } from '../../format';
import { m } from '../../messages';
import { zonePref } from '../../prefs';
import { LinkOnce } from '../../secret';
import { Button, Confirm, Failure, fieldsOf, SelectField, TextField, toast } from '../../ui';

const roles: Role[] = ['viewer', 'admin', 'owner'];
const reload = () => queryClient.invalidateQueries({ queryKey: [{ _id: 'listInvitations' }] });

export function Invitations({ projectId, canMakeOwners }: { projectId: string; canMakeOwners: boolean }) {
  const zone = zonePref.use();
  const list = useQuery(listInvitationsOptions({ path: { project_id: projectId } }));
  const [made, setMade] = useState<InvitationWithToken>();
  const [withdrawing, setWithdrawing] = useState<Invitation>();
  return (
    <section className="panel">
      <header><h2>{m.members.invite}</h2></header>
      <div className="body stack">
        <Invite projectId={projectId} canMakeOwners={canMakeOwners} onMade={setMade} />
        {made && <LinkOnce text={made.mailed ? m.members.mailed(made.invitation.email ?? '') : m.members.handOver} path={made.path} />}
        {list.error && <Failure error={list.error} retry={() => void list.refetch()} />}
      </div>
      {list.data && list.data.items.length > 0 && (
        <table className="table cards members">
          <thead>
            <tr><th>{m.members.waiting}</th><th>{m.members.role}</th><th>{m.members.until}</th><th><span className="sr">{m.keys.actions}</span></th></tr>
          </thead>
          <tbody>
            {list.data.items.map((x) => (
              <tr key={x.id}>
                <td><span className="wrap-any">{x.email ?? m.members.anyone}</span></td>
                <td>{m.projects.role[x.role]}</td>
                <td className="muted num" data-label={m.members.until}>{date(x.expires_at, zone)}</td>
                <td className="right"><Button className="tiny" onClick={() => setWithdrawing(x)}>{m.members.withdraw}</Button></td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {withdrawing && <Withdraw projectId={projectId} invitation={withdrawing} onClose={() => setWithdrawing(undefined)} />}
    </section>
  );
}

function Invite({ projectId, canMakeOwners, onMade }: { projectId: string; canMakeOwners: boolean; onMade: (x: InvitationWithToken) => void }) {
  const form = useRef<HTMLFormElement>(null);
  const [role, setRole] = useState<Role>('viewer');
  const invite = useMutation({
    ...createInvitationMutation(),
    ...sentAgain,
    onSuccess: async (x) => {
      form.current?.reset();
      setRole('viewer');
      onMade(x);
      await reload();
    },
  });
  const fields = fieldsOf(invite.error);
  return (
    <form
      ref={form}
      className="stack"
      onSubmit={(e) => {
        e.preventDefault();
        const email = (new FormData(e.currentTarget).get('email') as string).trim();
        invite.mutate({ path: { project_id: projectId }, headers: idempotencyKey(), body: { role, ...(email && { email }) } });
      }}
    >
      {invite.error && !fields['email'] && <Failure error={invite.error} />}
      <div className="add">
        <TextField label={m.members.email} name="email" type="email" maxLength={254} autoComplete="off" hint={m.members.emailHint} error={fields['email']} />
        <SelectField label={m.members.role} hint={m.members.roles[role]} value={role} onChange={(e) => setRole(e.target.value as Role)}>
          {roles.filter((r) => r !== 'owner' || canMakeOwners).map((r) => (
            <option key={r} value={r}>{m.projects.role[r]}</option>
          ))}
        </SelectField>
        <Button kind="primary" type="submit" busy={invite.isPending}>{m.members.inviteButton}</Button>
      </div>
    </form>
  );
}

function Withdraw({ projectId, invitation, onClose }: { projectId: string; invitation: Invitation; onClose: () => void }) {
  const withdraw = useMutation({
    ...revokeInvitationMutation(),
    onSuccess: async () => {
      onClose();
      toast(m.members.withdrawn);
      await reload();
    },
  });
  return (
    <Confirm
      title={m.members.withdrawTitle}
      text={m.members.withdrawText}
      action={m.members.withdraw}
      busy={withdraw.isPending}
      error={withdraw.error}
      onConfirm={() => withdraw.mutate({ path: { project_id: projectId, invitation_id: invitation.id } })}
      onClose={onClose}
    />
  );
}
