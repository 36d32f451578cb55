/** Secrets that were just made, for as long as this page is open: the server shows each once and cannot again. */
import type { ProjectWithSecret } from '@nimbus-analytics/sdk';
import { queryClient } from './api';
import { nimbusUrl } from './base';
import { m } from './messages';
import { Button, CopyButton, Dialog } from './ui';

export interface FreshKey {
  projectId: string;
  keyId: string;
  secret: string;
}

// Beside the answers of the server: with them it goes when the account does.
const latest = ['fresh key'];
queryClient.setQueryDefaults(latest, { gcTime: Infinity });

export function keepFresh(fresh: FreshKey): FreshKey {
  queryClient.setQueryData<FreshKey>(latest, fresh);
  return fresh;
}

/** The main key of a project that was just created or rotated. */
export const keepSecret = (made: ProjectWithSecret) => keepFresh({ projectId: made.project.id, keyId: made.api_key_id, secret: made.api_key_secret });

export function freshKey(projectId: string): FreshKey | undefined {
  const fresh = queryClient.getQueryData<FreshKey>(latest);
  return fresh?.projectId === projectId ? fresh : undefined;
}

export function SecretOnce({ made }: { made: FreshKey }) {
  const env = `NIMBUS_URL=${nimbusUrl}\nNIMBUS_PROJECT_ID=${made.projectId}\nNIMBUS_KEY_ID=${made.keyId}\nNIMBUS_SECRET=${made.secret}\n`;
  return (
    <div className="stack tight">
      <span className="label">{m.install.keyId}</span>
      <div className="secret"><code>{made.keyId}</code><CopyButton text={made.keyId} className="" /></div>
      <span className="label">{m.install.secret}</span>
      <div className="secret"><code data-testid="secret">{made.secret}</code><CopyButton text={made.secret} className="" /></div>
      <div><CopyButton text={env} label={m.install.copyEnv} /></div>
    </div>
  );
}

/** A link that was just made, to hand over; `path` has its token. */
export function LinkOnce({ text, path }: { text: string; path: string }) {
  const link = nimbusUrl + path;
  return (
    <div className="stack" role="status">
      <p>{text}</p>
      <div className="row wrap"><code className="wrap-any">{link}</code><CopyButton label={m.members.copyLink} text={link} /></div>
    </div>
  );
}

/** The key that was just made. It does not go by accident: its secret cannot be shown again. */
export function NewKey({ title, made, onClose }: { title: string; made: FreshKey; onClose: () => void }) {
  return (
    <Dialog sticky title={title} onClose={onClose}>
      <div className="stack">
        <p className="muted">{m.keys.rotatedText}</p>
        <SecretOnce made={made} />
        <div className="actions"><Button kind="primary" onClick={onClose}>{m.keys.haveIt}</Button></div>
      </div>
    </Dialog>
  );
}
