import { type InstanceAccount, type PasswordResetLink } from '@nimbus-analytics/sdk';
import {
  createInstanceAccountMutation,
  createPasswordResetMutation,
  deleteInstanceAccountMutation,
  listInstanceAccountsInfiniteOptions,
  updateInstanceAccountMutation,
} from '@nimbus-analytics/sdk/react-query';
import { useInfiniteQuery, useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { idempotencyKey, queryClient, sentAgain, useAccount } from '../../api';
import { ago, date, number } from '../../format';
import { m } from '../../messages';
import { zonePref } from '../../prefs';
import { LinkOnce } from '../../secret';
import { Button, Confirm, Failure, TextField, toast } from '../../ui';
import { Paged } from './Paged';

const reload = () => queryClient.invalidateQueries({ predicate: ({ queryKey: [key] }) => typeof key === 'object' && key !== null && String((key as { _id?: string })._id).startsWith('listInstance') });

export function Accounts() {
  const me = useAccount();
  const zone = zonePref.use();
  const [email, setEmail] = useState('');
  const [link, setLink] = useState<{ email: string; link: PasswordResetLink }>();
  const [deleting, setDeleting] = useState<InstanceAccount>();
  const query = { limit: 50, ...(email && { email }) };
  const list = useInfiniteQuery({
    ...listInstanceAccountsInfiniteOptions({ query }),
    initialPageParam: { query },
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    placeholderData: (old) => old,
  });
  const change = useMutation({ ...updateInstanceAccountMutation(), onSuccess: (x) => toast(m.instance.changed(x.email)), onSettled: reload });
  const reset = useMutation({ ...createPasswordResetMutation() });
  const error = change.error ?? reset.error;
  return (
    <section className="panel">
      <header><h2>{m.instance.accounts}</h2></header>
      <div className="body stack">
        <Create onMade={setLink} />
        {link && <LinkOnce text={m.instance.handOver(link.email)} path={link.link.path} />}
        {error && <Failure error={error} />}
        <TextField label={m.instance.search} type="search" value={email} onChange={(e) => setEmail(e.target.value)} />
      </div>
      <Paged list={list} head={[m.auth.email, m.instance.created, m.instance.seen, m.instance.projects, m.instance.events]}>
        {(x) => (
          <>
            <td>
              <span className="row wrap">
                <span className="wrap-any">{x.email}</span>
                {x.id === me?.id && <span className="badge">{m.members.you}</span>}
                {x.operator && <span className="badge">{m.instance.operator}</span>}
                {x.disabled && <span className="badge">{m.instance.disabled}</span>}
              </span>
            </td>
            <td className="muted num" data-label={m.instance.created}>{date(x.created_at, zone)}</td>
            <td className="muted num" data-label={m.instance.seen}>{x.last_seen_at ? ago(x.last_seen_at) : m.instance.never}</td>
            <td className="num" data-label={m.instance.projects}>{number(x.projects)}</td>
            <td className="num" data-label={m.instance.events}>{number(x.events)}</td>
            <td className="right">
              <span className="row wrap">
                <Button className="tiny" disabled={change.isPending} onClick={() => change.mutate({ path: { account_id: x.id }, body: { disabled: !x.disabled } })}>{x.disabled ? m.instance.enable : m.instance.disable}</Button>
                <Button className="tiny" disabled={change.isPending} onClick={() => change.mutate({ path: { account_id: x.id }, body: { operator: !x.operator } })}>{x.operator ? m.instance.unmakeOperator : m.instance.makeOperator}</Button>
                <Button className="tiny" disabled={reset.isPending} onClick={() => reset.mutate({ path: { account_id: x.id } }, { onSuccess: (made) => setLink({ email: x.email, link: made }) })}>{m.instance.resetPassword}</Button>
                <Button className="tiny" onClick={() => setDeleting(x)}>{m.instance.remove}</Button>
              </span>
            </td>
          </>
        )}
      </Paged>
      {deleting && <Delete account={deleting} onClose={() => setDeleting(undefined)} />}
    </section>
  );
}

function Create({ onMade }: { onMade: (x: { email: string; link: PasswordResetLink }) => void }) {
  const create = useMutation({
    ...createInstanceAccountMutation(),
    ...sentAgain,
    onSuccess: async ({ account, link }) => {
      onMade({ email: account.email, link });
      await reload();
    },
  });
  return (
    <form
      className="row wrap"
      onSubmit={(e) => {
        e.preventDefault();
        const form = e.currentTarget;
        create.mutate({ headers: idempotencyKey(), body: { email: (new FormData(form).get('email') as string).trim() } }, { onSuccess: () => form.reset() });
      }}
    >
      {create.error && <Failure error={create.error} />}
      <TextField label={m.instance.newAccount} name="email" type="email" required maxLength={254} autoComplete="off" />
      <Button kind="primary" type="submit" busy={create.isPending}>{m.instance.create}</Button>
    </form>
  );
}

function Delete({ account, onClose }: { account: InstanceAccount; onClose: () => void }) {
  const [withProjects, setWithProjects] = useState(false);
  const remove = useMutation({
    ...deleteInstanceAccountMutation(),
    onSuccess: async () => {
      onClose();
      toast(m.instance.removed(account.email));
      await reload();
    },
  });
  return (
    <Confirm
      title={m.instance.removeTitle(account.email)}
      text={
        <>
          {m.instance.removeText}
          {account.projects > 0 && (
            <label className="check"><input type="checkbox" checked={withProjects} onChange={(e) => setWithProjects(e.target.checked)} />{m.instance.withProjects}</label>
          )}
        </>
      }
      action={m.instance.remove}
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate({ path: { account_id: account.id }, ...(withProjects && { query: { delete_projects: true } }) })}
      onClose={onClose}
    />
  );
}
