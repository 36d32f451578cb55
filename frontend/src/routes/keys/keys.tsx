import { NimbusError, type Project, type WriteKey } from '@nimbus-analytics/sdk';
import { createWriteKeyMutation, deleteWriteKeyMutation, listWriteKeysOptions, rotateKeysMutation, updateWriteKeyMutation } from '@nimbus-analytics/sdk/react-query';
import { useMutation, useQuery } from '@tanstack/react-query';
import { IconPlus, IconRefresh } from '@tabler/icons-react';
import { useId, useState } from 'react';
import { idempotencyKey, queryClient, reloadProjects, sentAgain } from '../../api';
import { date } from '../../format';
import { m } from '../../messages';
import { zonePref } from '../../prefs';
import { Button, Confirm, CopyButton, Dialog, Failure, SelectField, Skeleton, TextField, toast } from '../../ui';
import { keepSecret, NewKey, type FreshKey } from '../../secret';

export function MainKey({ project, canChange }: { project: Project; canChange: boolean }) {
  const [asking, setAsking] = useState(false);
  const [grace, setGrace] = useState('86400');
  const [made, setMade] = useState<FreshKey>();
  const rotate = useMutation({
    ...rotateKeysMutation(),
    onSuccess: async (next) => {
      setMade(keepSecret(next));
      setAsking(false);
      await Promise.all([reloadProjects(), queryClient.invalidateQueries({ queryKey: [{ _id: 'listApiKeys' }] })]);
    },
  });
  return (
    <section className="panel">
      <header><h2>{m.keys.mainKey}</h2></header>
      <div className="body stack">
        <p className="muted">{m.keys.mainKeyText}</p>
        <div className="secret">
          <code>{project.api_key_id}</code>
          <CopyButton className="" text={project.api_key_id} />
          {canChange && <Button onClick={() => setAsking(true)}><IconRefresh size={16} aria-hidden />{m.keys.rotate}</Button>}
        </div>
      </div>
      {asking && (
        <Dialog title={m.keys.rotateTitle} onClose={() => setAsking(false)}>
          <div className="stack">
            <p className="muted">{m.keys.rotateText}</p>
            {rotate.error && <Failure error={rotate.error} />}
            <SelectField label={m.keys.grace} value={grace} onChange={(e) => setGrace(e.target.value)}>
              {Object.entries(m.keys.graces).map(([seconds, label]) => (
                <option key={seconds} value={seconds}>{label}</option>
              ))}
            </SelectField>
            <div className="actions">
              <Button onClick={() => setAsking(false)}>{m.cancel}</Button>
              <Button kind={grace === '0' ? 'danger' : 'primary'} busy={rotate.isPending} onClick={() => rotate.mutate({ path: { project_id: project.id }, body: { grace_seconds: Number(grace) } })}>{m.keys.rotate}</Button>
            </div>
          </div>
        </Dialog>
      )}
      {made && <NewKey title={m.keys.rotated} made={made} onClose={() => setMade(undefined)} />}
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
      toast(m.keys.writeRevoked);
    },
  });
  return (
    <section className="panel">
      <header>
        <h2>{m.keys.writeKeys}</h2>
        <Button className="tiny end" onClick={() => setEditing('new')}><IconPlus size={15} aria-hidden />{m.keys.addWriteKey}</Button>
      </header>
      <div className="body stack">
        <p className="muted">{m.keys.writeKeysText}</p>
        {list.error && <Failure error={list.error} retry={() => void list.refetch()} />}
        {list.isPending && <Skeleton height={40} />}
        {list.data?.items.length === 0 && <p className="muted">{m.keys.writeKeysNone}</p>}
        <ul className="lines">
          {list.data?.items.map((key) => (
            <li key={key.id} className="write-key stack tight">
              {key.name && <strong className="wrap-any">{key.name}</strong>}
              <div className="secret"><code>{key.key}</code><CopyButton text={key.key} className="" /></div>
              <div className="row wrap small">
                <span className="muted grow wrap-any">{key.allowed_origins.join(', ') || m.keys.anyOrigin} · {date(key.created_at, zone)}</span>
                <Button className="tiny" onClick={() => setEditing(key)}>{m.keys.edit}</Button>
                <Button className="tiny" onClick={() => setRevoking(key)}>{m.keys.revoke}</Button>
              </div>
            </li>
          ))}
        </ul>
      </div>
      {editing && <Origins projectId={projectId} target={editing} onClose={() => setEditing(undefined)} />}
      {revoking && (
        <Confirm
          title={m.keys.revokeWriteTitle}
          text={m.keys.revokeWriteText}
          action={m.keys.revoke}
          busy={revoke.isPending}
          error={revoke.error}
          onConfirm={() => revoke.mutate({ path: { project_id: projectId, key_id: revoking.id } })}
          onClose={() => setRevoking(undefined)}
        />
      )}
    </section>
  );
}

function Origins({ projectId, target, onClose }: { projectId: string; target: WriteKey | 'new'; onClose: () => void }) {
  const id = useId();
  const [name, setName] = useState(target === 'new' ? '' : target.name);
  const [text, setText] = useState(target === 'new' ? '' : target.allowed_origins.join('\n'));
  const onSuccess = async () => {
    await reload();
    onClose();
    toast(target === 'new' ? m.keys.writeMade : m.saved);
  };
  const create = useMutation({ ...createWriteKeyMutation(), ...sentAgain, onSuccess });
  const update = useMutation({ ...updateWriteKeyMutation(), onSuccess });
  const error = create.error ?? update.error;
  const wrong = error instanceof NimbusError ? error.errors[0]?.detail : undefined;
  return (
    <Dialog title={target === 'new' ? m.keys.addWriteKey : m.keys.editWriteKey} onClose={onClose}>
      <form
        className="stack"
        onSubmit={(e) => {
          e.preventDefault();
          // Without a name it keeps the one that it has.
          const body = { ...(name.trim() && { name: name.trim() }), allowed_origins: [...new Set(text.split(/[\s,]+/).map((o) => o.replace(/\/+$/, '')).filter(Boolean))] };
          const path = { project_id: projectId };
          if (target === 'new') create.mutate({ path, headers: idempotencyKey(), body });
          else update.mutate({ path: { ...path, key_id: target.id }, body });
        }}
      >
        {error && !wrong && <Failure error={error} />}
        <TextField label={m.keys.writeName} value={name} maxLength={100} onChange={(e) => setName(e.target.value)} />
        <div className="field">
          <label htmlFor={id}>{m.keys.origins}</label>
          <textarea id={id} className="input mono" rows={4} spellCheck={false} autoFocus value={text} onChange={(e) => setText(e.target.value)} aria-invalid={wrong ? true : undefined} aria-describedby={`${id}-hint`} />
          <span id={`${id}-hint`} className={wrong ? 'error' : 'hint'}>{wrong ?? m.keys.originsHint}</span>
        </div>
        <div className="actions">
          <Button onClick={onClose}>{m.cancel}</Button>
          <Button kind="primary" type="submit" busy={create.isPending || update.isPending}>{m.save}</Button>
        </div>
      </form>
    </Dialog>
  );
}
