import { NimbusError, type Project, type WriteKey } from '@nimbus-analytics/sdk';
import { createWriteKeyMutation, deleteWriteKeyMutation, listWriteKeysOptions, rotateKeysMutation, updateWriteKeyMutation } from '@nimbus-analytics/sdk/react-query';
import { useMutation, useQuery } from '@tanstack/react-query';
import { IconPlus, IconRefresh } from '@tabler/icons-react';
import { useId, useState } from 'react';
import { queryClient } from '../../api';
import { date } from '../../format';
import { m } from '../../messages';
import { zonePref } from '../../prefs';
import { Button, CopyButton, Dialog, Failure, SelectField, Skeleton, toast } from '../../ui';
import { keepSecret, SecretOnce, type FreshKey } from '../install/secret';

export function ApiKey({ project, onRotated }: { project: Project; onRotated: () => Promise<void> }) {
  const [asking, setAsking] = useState(false);
  const [grace, setGrace] = useState('86400');
  const [made, setMade] = useState<FreshKey>();
  const rotate = useMutation({
    ...rotateKeysMutation(),
    onSuccess: async (next) => {
      setMade(keepSecret(next));
      setAsking(false);
      await onRotated();
    },
  });
  return (
    <section className="panel">
      <header><h2>{m.settings.apiKey}</h2></header>
      <div className="body stack">
        <p className="muted">{m.settings.apiKeyText}</p>
        <div className="secret">
          <code>{project.api_key_id}</code>
          <CopyButton className="" text={project.api_key_id} />
          <Button onClick={() => setAsking(true)}><IconRefresh size={16} aria-hidden />{m.settings.rotate}</Button>
        </div>
      </div>
      {asking && (
        <Dialog title={m.settings.rotateTitle} onClose={() => setAsking(false)}>
          <div className="stack">
            <p className="muted">{m.settings.rotateText}</p>
            {rotate.error && <Failure error={rotate.error} />}
            <SelectField label={m.settings.grace} value={grace} onChange={(e) => setGrace(e.target.value)}>
              {Object.entries(m.settings.graces).map(([seconds, label]) => (
                <option key={seconds} value={seconds}>{label}</option>
              ))}
            </SelectField>
            <div className="actions">
              <Button onClick={() => setAsking(false)}>{m.cancel}</Button>
              <Button kind="primary" busy={rotate.isPending} onClick={() => rotate.mutate({ path: { project_id: project.id }, body: { grace_seconds: Number(grace) } })}>{m.settings.rotate}</Button>
            </div>
          </div>
        </Dialog>
      )}
      {made && (
        <Dialog sticky title={m.settings.rotated} onClose={() => setMade(undefined)}>
          <div className="stack">
            <p className="muted">{m.settings.rotatedText}</p>
            <SecretOnce made={made} />
            <div className="actions"><Button kind="primary" onClick={() => setMade(undefined)}>{m.settings.haveIt}</Button></div>
          </div>
        </Dialog>
      )}
    </section>
  );
}

const reload = () => queryClient.invalidateQueries({ queryKey: [{ _id: 'listWriteKeys' }] });

export function WriteKeys({ projectId }: { projectId: string }) {
  const zone = zonePref.use();
  const list = useQuery(listWriteKeysOptions({ path: { project_id: projectId } }));
  const [editing, setEditing] = useState<WriteKey | 'new'>();
  const [revoking, setRevoking] = useState<WriteKey>();
  const revoke = useMutation({
    ...deleteWriteKeyMutation(),
    onSuccess: async () => {
      setRevoking(undefined);
      await reload();
      toast(m.settings.revoked);
    },
  });
  return (
    <section className="panel">
      <header>
        <h2>{m.settings.writeKeys}</h2>
        <Button className="tiny end" onClick={() => setEditing('new')}><IconPlus size={15} aria-hidden />{m.settings.addWriteKey}</Button>
      </header>
      <div className="body stack">
        <p className="muted">{m.settings.writeKeysText}</p>
        {list.error && <Failure error={list.error} retry={() => void list.refetch()} />}
        {list.isPending && <Skeleton height={40} />}
        {list.data?.items.length === 0 && <p className="muted">{m.settings.writeKeysNone}</p>}
        <ul className="stack tight">
          {list.data?.items.map((key) => (
            <li key={key.id} className="key">
              <div className="secret"><code>{key.key}</code><CopyButton text={key.key} className="" /></div>
              <div className="row wrap small">
                <span className="muted grow">{key.allowed_origins.join(', ') || m.settings.anyOrigin} · {date(key.created_at, zone)}</span>
                <Button className="tiny" onClick={() => setEditing(key)}>{m.settings.edit}</Button>
                <Button className="tiny" onClick={() => setRevoking(key)}>{m.settings.revoke}</Button>
              </div>
            </li>
          ))}
        </ul>
      </div>
      {editing && <Origins projectId={projectId} target={editing} onClose={() => setEditing(undefined)} />}
      {revoking && (
        <Dialog title={m.settings.revokeTitle} onClose={() => setRevoking(undefined)}>
          <p className="muted">{m.settings.revokeText}</p>
          {revoke.error && <Failure error={revoke.error} />}
          <div className="actions">
            <Button onClick={() => setRevoking(undefined)}>{m.cancel}</Button>
            <Button kind="danger" busy={revoke.isPending} onClick={() => revoke.mutate({ path: { project_id: projectId, key_id: revoking.id } })}>{m.settings.revoke}</Button>
          </div>
        </Dialog>
      )}
    </section>
  );
}

function Origins({ projectId, target, onClose }: { projectId: string; target: WriteKey | 'new'; onClose: () => void }) {
  const id = useId();
  const [text, setText] = useState(target === 'new' ? '' : target.allowed_origins.join('\n'));
  const onSuccess = async () => {
    await reload();
    onClose();
  };
  const create = useMutation({ ...createWriteKeyMutation(), onSuccess });
  const update = useMutation({ ...updateWriteKeyMutation(), onSuccess });
  const error = create.error ?? update.error;
  const wrong = error instanceof NimbusError ? error.errors[0]?.detail : undefined;
  return (
    <Dialog title={target === 'new' ? m.settings.addWriteKey : m.settings.editWriteKey} onClose={onClose}>
      <form
        className="stack"
        onSubmit={(e) => {
          e.preventDefault();
          const body = { allowed_origins: [...new Set(text.split(/[\s,]+/).map((o) => o.replace(/\/+$/, '')).filter(Boolean))] };
          const path = { project_id: projectId };
          if (target === 'new') create.mutate({ path, body });
          else update.mutate({ path: { ...path, key_id: target.id }, body });
        }}
      >
        {error && !wrong && <Failure error={error} />}
        <div className="field">
          <label htmlFor={id}>{m.settings.origins}</label>
          <textarea id={id} className="input mono" rows={4} spellCheck={false} autoFocus value={text} onChange={(e) => setText(e.target.value)} aria-invalid={wrong ? true : undefined} aria-describedby={`${id}-hint`} />
          <span id={`${id}-hint`} className={wrong ? 'error' : 'hint'}>{wrong ?? m.settings.originsHint}</span>
        </div>
        <div className="actions">
          <Button onClick={onClose}>{m.cancel}</Button>
          <Button kind="primary" type="submit" busy={create.isPending || update.isPending}>{m.save}</Button>
        </div>
      </form>
    </Dialog>
  );
}
