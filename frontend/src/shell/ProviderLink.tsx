import { IconLogin2 } from '@tabler/icons-react';
import { session } from '../api';
import { basePath } from '../base';
import { m } from '../messages';

/** Logging in at the identity provider, which comes back to a path of the dashboard. With an invitation it may make an account. */
export function ProviderLink({ name, back, invitation }: { name: string | undefined; back: string; invitation?: string | undefined }) {
  const query = new URLSearchParams({ return_to: back, ...(invitation !== undefined && { invitation }) });
  return (
    <a className="button" href={`${basePath}v1/auth/oidc/login?${query}`} onClick={session.leaveForProvider}>
      <IconLogin2 size={17} aria-hidden />
      <span className="truncate">{m.auth.withProvider(name)}</span>
    </a>
  );
}
