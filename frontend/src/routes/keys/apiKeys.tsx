/** The API keys beside the main one: what each may do, who made it, when it was used and when it ends. */
import type { ApiKey, KeyScope } from '@nimbus-analytics/sdk';
import { createApiKeyMutation, listApiKeysOptions, listMembersOptions, revokeApiKeyMutation, updateApiKeyMutation } from '@nimbus-analytics/sdk/react-query';
import { useMutation, useQuery } from '@tanstack/react-query';
import { IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { idempotencyKey, queryClient, sentAgain } from '../../api';
import { addDays, ago, date, dateTime, isoDay, startOfDay } from '../../format';
import { m } from '../../messages';
import { zonePref } from '../../prefs';
import { Button, Confirm, Dialog, Failure, fieldsOf, SelectField, Skeleton, TextField, toast } from '../../ui';
import { NewKey, type FreshKey } from '../../secret';

const reload = () => queryClient.invalidateQueries({ queryKey: [{ _id: 'listApiKeys' }] });
const scopes: KeyScope[] = ['events:write', 'events:read', 'metrics:read'];

export function ApiKeys({ projectId, canChange }: { projectId: string; canChange: boolean }) {
  const path = { project_id: projectId };
  const list = useQuery(listApiKeysOptions({ path }));
  const members = useQuery(listMembersOptions({ path }));
  const [creating, setCreating] = useState(false);
  const [made, setMade] = useState<FreshKey>();
  const [editing, setEditing] = useState<ApiKey>();
  const [revoking, setRevoking] = useState<ApiKey>();
  const revoke = useMutation({
    ...revokeApiKeyMutation(),
    onSuccess: async () => {
      toast(m.keys.revokedKey(revoking!.name));
      setRevoking(undefined);
      await reload();
    },
  });
  // The main key has a panel of its own; one that was rotated is listed here while it still works.
  const keys = list.data?.items.filter((k) => !k.main || k.expires_at !== undefined);
  const who = (key: ApiKey) => (key.created_by === undefined ? undefined : members.data ? (members.data.items.find((x) => x.account_id === key.created_by)?.email ?? m.keys.formerMember) : undefined);

  return (
    <section className="panel">
      <header>
        <h2>{m.keys.apiKeys}</h2>
        {canChange && <Button className="tiny end" onClick={() => setCreating(true)}><IconPlus size={15} aria-hidden />{m.keys.create}</Button>}
      </header>
      <div className="body stack" style={{ paddingBottom: keys?.length ? 4 : undefined }}>
        <p className="muted">{m.keys.apiKeysText}</p>
        {list.error && !list.data && <Failure error={list.error} retry={() => void list.refetch()} />}
        {list.isPending && <Skeleton height={64} />}
        {keys?.length === 0 && <p className="muted">{m.keys.apiKeysNone}</p>}
      </div>
      {keys && keys.length > 0 && (
        <table className="table cards">
          <thead>
            <tr><th>{m.keys.name}</th><th>{m.keys.scopes}</th><th>{m.keys.created}</th><th>{m.keys.lastUsed}</th><th>{m.keys.expiry}</th>{canChange && <th><span className="sr">{m.keys.actions}</span></th>}</tr>
          </thead>
          <tbody>
            {keys.map((key) => (
              <Row key={key.id} apiKey={key} who={who(key)} canChange={canChange} edit={() => setEditing(key)} revoke={() => setRevoking(key)} />
            ))}
          </tbody>
        </table>
      )}
      {creating && (
        <Create
          projectId={projectId}
          onClose={() => setCreating(false)}
          onMade={(key) => {
            setCreating(false);
            setMade(key);
          }}
        />
      )}
      {made && <NewKey title={m.keys.madeTitle} made={made} onClose={() => setMade(undefined)} />}
      {editing && <Edit projectId={projectId} apiKey={editing} onClose={() => setEditing(undefined)} />}
      {revoking && (
        <Confirm
          title={m.keys.revokeTitle(revoking.name)}
          text={m.keys.revokeText}
          action={m.keys.revoke}
          busy={revoke.isPending}
          error={revoke.error}
          onConfirm={() => revoke.mutate({ path: { ...path, api_key_id: revoking.id } })}
          onClose={() => setRevoking(undefined)}
        />
      )}
    </section>
  );
}

function Row({ apiKey: key, who, canChange, edit, revoke }: { apiKey: ApiKey; who: string | undefined; canChange: boolean; edit: () => void; revoke: () => void }) {
  const zone = zonePref.use();
  const [now] = useState(Date.now);
  const over = key.expires_at !== undefined && Date.parse(key.expires_at) <= now;
  const when = date(key.created_at, zone);
  return (
    <tr>
      <td className="wrap-any"><strong>{key.name || m.keys.mainKey}</strong><br /><span className="mono muted">{key.id}</span></td>
      <td data-label={m.keys.scopes}><span className="row wrap" style={{ gap: 4 }}>{key.scopes.map((s) => <span key={s} className="badge" title={s}>{m.keys.scope[s]}</span>)}</span></td>
      <td className="muted" data-label={m.keys.created}><span className="num nowrap">{when}</span>{who && <><br /><span className="small">{m.keys.by(who)}</span></>}</td>
      <td className="muted num nowrap" data-label={m.keys.lastUsed}>{key.last_used_at ? <span title={dateTime(key.last_used_at, zone)}>{ago(key.last_used_at)}</span> : m.keys.unused}</td>
      <td className="num nowrap" data-label={m.keys.expiry}>
        {over ? <span className="badge bad">{m.keys.expired}</span> : key.expires_at ? <span title={dateTime(key.expires_at, zone)}>{ago(key.expires_at)}</span> : <span className="muted">{m.keys.never}</span>}
      </td>
      {canChange && (
        <td className="right">
          <span className="row" style={{ justifyContent: 'flex-end' }}>
            {!over && <Button className="tiny" onClick={edit} aria-label={m.keys.editTitle(key.name)}>{m.keys.edit}</Button>}
            <Button className="tiny" onClick={revoke} aria-label={`${m.keys.revoke} ${key.name}`}>{m.keys.revoke}</Button>
          </span>
        </td>
      )}
    </tr>
  );
}

/** When a key expires: some days from now, or at the end of a day in the chosen time zone. */
function Expiry({ options, value, onChange, day, onDay, hint, error }: { options: Record<string, string>; value: string; onChange: (value: string) => void; day: string; onDay: (day: string) => void; hint?: string; error: string | undefined }) {
  const zone = zonePref.use();
  const [today] = useState(() => isoDay(Date.now(), zone));
  return (
    <div className="row" style={{ alignItems: 'flex-start' }}>
      <div className="grow">
        <SelectField label={m.keys.expiry} value={value} hint={hint} error={error} onChange={(e) => onChange(e.target.value)}>
          {Object.entries(options).map(([v, label]) => (
            <option key={v} value={v}>{label}</option>
          ))}
        </SelectField>
      </div>
      {value === 'date' && <div className="grow"><TextField label={m.keys.expiryDate} type="date" required min={today} value={day} onChange={(e) => onDay(e.target.value)} /></div>}
    </div>
  );
}

function instantOf(value: string, day: string, zone: string): string | undefined {
  if (value === 'never' || value === 'keep') return undefined;
  return (value === 'date' ? startOfDay(addDays(day, 1), zone) : new Date(Date.now() + Number(value) * 86_400_000)).toISOString();
}

function Create({ projectId, onMade, onClose }: { projectId: string; onMade: (key: FreshKey) => void; onClose: () => void }) {
  const zone = zonePref.use();
  const [chosen, setChosen] = useState<KeyScope[]>(['events:write']);
  const [expiry, setExpiry] = useState('never');
  const [day, setDay] = useState(() => addDays(isoDay(Date.now(), zone), 30));
  const create = useMutation({
    ...createApiKeyMutation(),
    ...sentAgain,
    onSuccess: async (made) => {
      onMade({ projectId, keyId: made.api_key.id, secret: made.api_key_secret });
      await reload();
    },
  });
  const fields = fieldsOf(create.error);
  return (
    <Dialog title={m.keys.create} onClose={onClose}>
      <form
        className="stack"
        onSubmit={(e) => {
          e.preventDefault();
          const name = (new FormData(e.currentTarget).get('name') as string).trim();
          const expires_at = instantOf(expiry, day, zone);
          create.mutate({ path: { project_id: projectId }, headers: idempotencyKey(), body: { name, scopes: chosen, ...(expires_at && { expires_at }) } });
        }}
      >
        {create.error && Object.keys(fields).length === 0 && <Failure error={create.error} />}
        <TextField label={m.keys.name} name="name" required maxLength={100} autoFocus autoComplete="off" placeholder={m.keys.namePlaceholder} hint={m.keys.nameHint} error={fields['name']} />
        <fieldset className="stack tight" style={{ gap: 0 }}>
          <legend className="label">{m.keys.scopes}</legend>
          {scopes.map((s) => (
            <label key={s} className="check">
              <input type="checkbox" checked={chosen.includes(s)} onChange={(e) => setChosen(e.target.checked ? [...chosen, s] : chosen.filter((x) => x !== s))} />
              {m.keys.scope[s]} <code>{s}</code>
            </label>
          ))}
          {(chosen.length === 0 || fields['scopes']) && <span className="small" style={{ color: 'var(--bad)' }}>{fields['scopes'] ?? m.keys.scopesNeeded}</span>}
        </fieldset>
        <Expiry options={m.keys.expiries} value={expiry} onChange={setExpiry} day={day} onDay={setDay} error={fields['expires_at']} />
        <div className="actions">
          <Button onClick={onClose}>{m.cancel}</Button>
          <Button kind="primary" type="submit" disabled={chosen.length === 0} busy={create.isPending}>{m.keys.create}</Button>
        </div>
      </form>
    </Dialog>
  );
}

function Edit({ projectId, apiKey, onClose }: { projectId: string; apiKey: ApiKey; onClose: () => void }) {
  const zone = zonePref.use();
  const [expiry, setExpiry] = useState('keep');
  const [day, setDay] = useState(() => addDays(isoDay(Date.now(), zone), 7));
  const update = useMutation({
    ...updateApiKeyMutation(),
    onSuccess: async () => {
      onClose();
      toast(m.saved);
      await reload();
    },
  });
  const fields = fieldsOf(update.error);
  return (
    <Dialog title={m.keys.editTitle(apiKey.name)} onClose={onClose}>
      <form
        className="stack"
        onSubmit={(e) => {
          e.preventDefault();
          const name = (new FormData(e.currentTarget).get('name') as string).trim();
          const expires_at = instantOf(expiry, day, zone);
          const body = { ...(name !== apiKey.name && { name }), ...(expires_at && { expires_at }) };
          if (Object.keys(body).length === 0) onClose();
          else update.mutate({ path: { project_id: projectId, api_key_id: apiKey.id }, body });
        }}
      >
        {update.error && Object.keys(fields).length === 0 && <Failure error={update.error} />}
        <TextField label={m.keys.name} name="name" required maxLength={100} autoFocus autoComplete="off" defaultValue={apiKey.name} error={fields['name']} />
        <Expiry options={m.keys.sooner} value={expiry} onChange={setExpiry} day={day} onDay={setDay} hint={m.keys.soonerHint} error={fields['expires_at']} />
        <div className="actions">
          <Button onClick={onClose}>{m.cancel}</Button>
          <Button kind="primary" type="submit" busy={update.isPending}>{m.save}</Button>
        </div>
      </form>
    </Dialog>
  );
}
