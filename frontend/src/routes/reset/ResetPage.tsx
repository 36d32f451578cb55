/** A new password: asks for a link, or sets one with the link's token, which is behind the `#`. */
import { NimbusError } from '@nimbus-analytics/sdk';
import { requestPasswordResetMutation } from '@nimbus-analytics/sdk/react-query';
import { useMutation } from '@tanstack/react-query';
import { Link, useRouter, useRouterState } from '@tanstack/react-router';
import { session } from '../../api';
import { useTitle } from '../../hooks';
import { m } from '../../messages';
import { Brand } from '../../shell/Brand';
import { Button, Failure, fieldsOf, TextField } from '../../ui';

export function ResetPage() {
  useTitle(m.reset.title);
  const token = useRouterState({ select: (s) => s.location.hash });
  return (
    <main className="auth">
      <div className="card">
        <Brand />
        <div className="panel stack">
          <h1>{m.reset.title}</h1>
          {token ? <Choose token={token} /> : <Ask />}
          <p className="muted small" style={{ textAlign: 'center' }}><Link to="/login">{m.auth.login}</Link></p>
        </div>
      </div>
    </main>
  );
}

function Choose({ token }: { token: string }) {
  const router = useRouter();
  const reset = useMutation({
    mutationFn: (new_password: string) => session.resetPassword({ token, new_password }),
    onSuccess: () => router.navigate({ to: '/', replace: true }),
  });
  const fields = fieldsOf(reset.error);
  const gone = reset.error instanceof NimbusError && reset.error.code === 'link_invalid';
  return (
    <form
      className="stack"
      onSubmit={(e) => {
        e.preventDefault();
        reset.mutate(new FormData(e.currentTarget).get('password') as string);
      }}
    >
      {gone ? <p role="alert">{m.reset.gone}</p> : reset.error && Object.keys(fields).length === 0 && <Failure error={reset.error} />}
      <TextField label={m.reset.password} name="password" type="password" autoComplete="new-password" required autoFocus hint={m.auth.passwordHint} error={fields['new_password']} />
      <Button kind="primary" type="submit" busy={reset.isPending}>{m.reset.set}</Button>
    </form>
  );
}

function Ask() {
  const ask = useMutation(requestPasswordResetMutation());
  const noMail = ask.error instanceof NimbusError && ask.error.code === 'mail_not_configured';
  if (ask.isSuccess) return <p role="status">{m.reset.sent}</p>;
  return (
    <form
      className="stack"
      onSubmit={(e) => {
        e.preventDefault();
        ask.mutate({ body: { email: (new FormData(e.currentTarget).get('email') as string).trim() } });
      }}
    >
      {noMail ? <p role="alert">{m.reset.noMail}</p> : ask.error && <Failure error={ask.error} />}
      <TextField label={m.auth.email} name="email" type="email" autoComplete="username" required autoFocus />
      <Button kind="primary" type="submit" busy={ask.isPending}>{m.reset.ask}</Button>
    </form>
  );
}
