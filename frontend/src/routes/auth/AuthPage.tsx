import type { RegisterRequest } from '@nimbus-analytics/sdk';
import { useMutation } from '@tanstack/react-query';
import { Link, useRouter, useSearch } from '@tanstack/react-router';
import { IconAlertTriangle, IconInfoCircle } from '@tabler/icons-react';
import { session } from '../../api';
import { basePath } from '../../base';
import { useAuthMethods, useTitle } from '../../hooks';
import { m } from '../../messages';
import { Brand } from '../../shell/Brand';
import { ProviderLink } from '../../shell/ProviderLink';
import { Button, Failure, fieldsOf, Notice, TextField } from '../../ui';

export const LoginPage = () => <AuthPage kind="login" />;
export const RegisterPage = () => <AuthPage kind="register" />;

function AuthPage({ kind }: { kind: 'login' | 'register' }) {
  const { next, error: refused } = useSearch({ strict: false }) as { next?: string; error?: string };
  const methods = useAuthMethods();
  const router = useRouter();
  const first = methods.data?.empty === true; // nobody can log in here before somebody has an account
  const isLogin = kind === 'login' && !first;
  useTitle(isLogin ? m.auth.login : m.auth.register);
  const submit = useMutation({
    mutationFn: (body: RegisterRequest) => session[isLogin ? 'login' : 'register'](body),
    onSuccess: () => router.history.push(basePath + (next ?? '/').slice(1)),
  });
  const fields = fieldsOf(submit.error);
  const elsewhere = submit.error && Object.keys(fields).length === 0;

  return (
    <main className="auth">
      <div className="card">
        <Brand />
        <form
          className="panel stack"
          onSubmit={(e) => {
            e.preventDefault();
            const form = new FormData(e.currentTarget);
            const setup_token = form.get('setup_token') as string | null;
            submit.mutate({ email: form.get('email') as string, password: form.get('password') as string, ...(setup_token !== null && { setup_token: setup_token.trim() }) });
          }}
        >
          <div>
            <h1>{first ? m.auth.firstTitle : isLogin ? m.auth.loginTitle : m.auth.registerTitle}</h1>
            <p className="muted">{first ? m.auth.firstLead : m.auth.lead}</p>
          </div>
          {isLogin && refused && !submit.error && (
            <Notice kind="warn" icon={IconAlertTriangle} role="alert"><strong>{m.auth.refusedTitle}</strong><p>{m.auth.refused[refused] ?? refused}</p></Notice>
          )}
          {isLogin && next && !refused && !submit.error && <Notice icon={IconInfoCircle}>{session.ended() ? m.auth.ended : m.auth.needed}</Notice>}
          {elsewhere && <Failure error={submit.error} />}
          {methods.data?.password !== false && (
            <>
              <TextField label={m.auth.email} name="email" type="email" autoComplete="username" required autoFocus error={fields['email']} />
              <TextField
                label={m.auth.password}
                name="password"
                type="password"
                required
                autoComplete={isLogin ? 'current-password' : 'new-password'}
                hint={isLogin ? undefined : m.auth.passwordHint}
                error={fields['password']}
              />
              {first && methods.data?.setup_token && <TextField label={m.auth.setupToken} name="setup_token" required autoComplete="off" hint={m.auth.setupTokenHint} error={fields['setup_token']} />}
              <Button kind="primary" type="submit" busy={submit.isPending}>{isLogin ? m.auth.login : m.auth.register}</Button>
            </>
          )}
          {methods.data?.oidc.enabled && <ProviderLink name={methods.data.oidc.name} back={next ?? '/'} />}
          {isLogin && <p className="muted small" style={{ textAlign: 'center' }}><Link to="/reset">{m.auth.forgotten}</Link></p>}
          {!first && (methods.data?.registration ?? 'open') === 'open' && <p className="muted small" style={{ textAlign: 'center' }}>
            {isLogin ? m.auth.noAccount : m.auth.haveAccount}{' '}
            <Link to={isLogin ? '/register' : '/login'} search={next ? { next } : {}}>{isLogin ? m.auth.register : m.auth.login}</Link>
          </p>}
          {!first && isLogin && methods.data && methods.data.registration !== 'open' && <p className="muted small" style={{ textAlign: 'center' }}>{m.auth.closed[methods.data.registration]}</p>}
        </form>
      </div>
    </main>
  );
}
