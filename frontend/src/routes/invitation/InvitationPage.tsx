/** The page behind an invitation's link. The token is behind the `#`, which no server and no log gets. */
import { NimbusError, previewInvitation } from '@nimbus-analytics/sdk';
import { acceptInvitationMutation } from '@nimbus-analytics/sdk/react-query';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link, useRouter, useRouterState } from '@tanstack/react-router';
import { reloadProjects, session, useAccount } from '../../api';
import { dateTime } from '../../format';
import { useAuthMethods, useTitle } from '../../hooks';
import { m } from '../../messages';
import { zonePref } from '../../prefs';
import { Brand } from '../../shell/Brand';
import { ProviderLink } from '../../shell/ProviderLink';
import { Button, Failure, fieldsOf, Skeleton, TextField } from '../../ui';

export function InvitationPage() {
  useTitle(m.invitation.title);
  const token = useRouterState({ select: (s) => s.location.hash });
  const zone = zonePref.use();
  const preview = useQuery({ queryKey: ['invitation', token], queryFn: async () => (await previewInvitation({ body: { token }, auth: undefined })).data, retry: false, staleTime: Infinity });
  const known = useQuery({ queryKey: ['is somebody logged in'], queryFn: session.resume, staleTime: 0 });
  const account = useAccount();
  const gone = preview.error instanceof NimbusError && preview.error.code === 'link_invalid';
  return (
    <main className="auth">
      <div className="card">
        <Brand />
        <div className="panel stack">
          <h1>{m.invitation.title}</h1>
          {gone ? (
            <>
              <p>{m.invitation.gone}</p>
              <p><Link to="/projects">{m.invitation.toProjects}</Link></p>
            </>
          ) : preview.error ? (
            <Failure error={preview.error} retry={() => void preview.refetch()} />
          ) : !preview.data || known.isPending ? (
            <Skeleton height={96} />
          ) : (
            <>
              <p>{m.invitation.to(preview.data.project_name, m.projects.role[preview.data.role])}</p>
              <p className="muted small">{m.invitation.until(dateTime(preview.data.expires_at, zone))}</p>
              {account ? <Accept token={token} email={account.email} /> : <Join token={token} email={preview.data.email} />}
            </>
          )}
        </div>
      </div>
    </main>
  );
}

function Accept({ token, email }: { token: string; email: string }) {
  const router = useRouter();
  const accept = useMutation({
    ...acceptInvitationMutation(),
    onSuccess: async ({ project_id }) => {
      await reloadProjects();
      await router.navigate({ to: '/projects/$projectId', params: { projectId: project_id } });
    },
  });
  const other = accept.error instanceof NimbusError && accept.error.code === 'invitation_not_yours';
  return (
    <>
      {accept.error && (other ? <p role="alert">{m.invitation.notYours(email)}</p> : <Failure error={accept.error} />)}
      <Button kind="primary" busy={accept.isPending} onClick={() => accept.mutate({ body: { token } })}>{m.invitation.accept(email)}</Button>
    </>
  );
}

/** Somebody without a session: registers with the invitation, or logs in and comes back. */
function Join({ token, email }: { token: string; email: string | undefined }) {
  const router = useRouter();
  const methods = useAuthMethods();
  const register = useMutation({
    mutationFn: (body: { email: string; password: string }) => session.register({ ...body, invitation: token }),
    onSuccess: () => router.navigate({ to: '/' }),
  });
  const fields = fieldsOf(register.error);
  const back = `/invitation#${token}`;
  const provider = methods.data?.oidc;
  return (
    <form
      className="stack"
      onSubmit={(e) => {
        e.preventDefault();
        const form = new FormData(e.currentTarget);
        register.mutate({ email: form.get('email') as string, password: form.get('password') as string });
      }}
    >
      {register.error && Object.keys(fields).length === 0 && <Failure error={register.error} />}
      {methods.data?.registration !== 'closed' && (
        <>
          <TextField label={m.auth.email} name="email" type="email" autoComplete="username" required defaultValue={email} readOnly={email !== undefined} error={fields['email']} />
          <TextField label={m.auth.password} name="password" type="password" autoComplete="new-password" required hint={m.auth.passwordHint} error={fields['password']} />
          <Button kind="primary" type="submit" busy={register.isPending}>{m.invitation.register}</Button>
        </>
      )}
      {provider?.enabled && <ProviderLink name={provider.name} back={back} invitation={methods.data?.registration === 'invite' ? token : undefined} />}
      <p className="muted small">{m.auth.haveAccount} <Link to="/login" search={{ next: back }}>{m.auth.login}</Link></p>
    </form>
  );
}
