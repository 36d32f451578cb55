import { NimbusError, type ChangePasswordRequest } from '@nimbus-analytics/sdk';
import { useMutation } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { IconLogout } from '@tabler/icons-react';
import { useRef } from 'react';
import { session, useAccount } from '../../api';
import { date } from '../../format';
import { useTitle } from '../../hooks';
import { m } from '../../messages';
import { applyTheme, chosenZone, csvMarkPref, singleKeysPref, themePref, zonePref, zones } from '../../prefs';
import { commandKey, themes } from '../../shell/appearance';
import { Button, Failure, Segments, SelectField, TextField, toast } from '../../ui';
import { Sessions } from './Sessions';

export function AccountPage() {
  useTitle(m.account.title);
  const account = useAccount();
  const zone = zonePref.use();
  const logout = useMutation({ mutationFn: session.logout });
  return (
    <div className="stack" style={{ maxWidth: 640, gap: 20 }}>
      <header className="page-head" style={{ marginBottom: 0 }}>
        <h1>{m.account.title}</h1>
        <Button className="end" busy={logout.isPending} onClick={() => logout.mutate()}><IconLogout size={16} aria-hidden />{m.auth.logout}</Button>
      </header>
      {logout.error && <Failure error={logout.error} />}
      <section className="panel">
        <div className="body">
          <p><strong>{account?.email}</strong></p>
          {account && <p className="muted small">{m.account.since} {date(account.created_at, zone)}</p>}
          {account?.operator && <p><Link to="/instance">{m.instance.title}</Link></p>}
        </div>
      </section>
      <section className="panel">
        <header><h2>{m.account.appearance}</h2></header>
        <div className="body stack">
          <div className="field"><span className="label">{m.nav.theme.label}</span><div><Segments label={m.nav.theme.label} value={themePref.use()} options={themes} onChange={applyTheme} /></div></div>
          <SelectField label={m.explore.zone} hint={m.settings.zoneHint} value={chosenZone.use()} onChange={(e) => chosenZone.set(e.target.value)}>
            <option value="">{m.account.projectZone}</option>
            {[...new Set([zone, ...zones])].map((z) => (
              <option key={z}>{z}</option>
            ))}
          </SelectField>
          <div className="field">
            <label className="check">
              <input type="checkbox" checked={singleKeysPref.use() === 'on'} onChange={(e) => singleKeysPref.set(e.target.checked ? 'on' : 'off')} aria-describedby="single-keys-hint" />
              {m.account.singleKeys}
            </label>
            <span id="single-keys-hint" className="hint">{m.account.singleKeysHint(commandKey)}</span>
          </div>
          <div className="field">
            <label className="check">
              <input type="checkbox" checked={csvMarkPref.use() === 'on'} onChange={(e) => csvMarkPref.set(e.target.checked ? 'on' : 'off')} aria-describedby="csv-mark-hint" />
              {m.account.csvMark}
            </label>
            <span id="csv-mark-hint" className="hint">{m.account.csvMarkHint}</span>
          </div>
        </div>
      </section>
      <Sessions />
      <Password />
    </div>
  );
}

function Password() {
  const form = useRef<HTMLFormElement>(null);
  const change = useMutation({
    mutationFn: (body: ChangePasswordRequest) => session.changePassword(body),
    onSuccess: () => {
      form.current?.reset();
      toast(m.account.changed);
    },
  });
  const problem = change.error instanceof NimbusError ? change.error : undefined;
  const fields = problem?.byField() ?? {};
  if (problem?.code === 'invalid_credentials') fields['current_password'] = problem.detail;
  return (
    <section className="panel">
      <header><h2>{m.account.password}</h2></header>
      <form
        ref={form}
        className="body stack"
        onSubmit={(e) => {
          e.preventDefault();
          const data = new FormData(e.currentTarget);
          change.mutate({ current_password: data.get('current') as string, new_password: data.get('next') as string });
        }}
      >
        <p className="muted">{m.account.passwordText}</p>
        {change.error && Object.keys(fields).length === 0 && <Failure error={change.error} />}
        <TextField label={m.account.current} name="current" type="password" autoComplete="current-password" required error={fields['current_password']} />
        <TextField label={m.account.next} name="next" type="password" autoComplete="new-password" required hint={m.auth.passwordHint} error={fields['new_password']} />
        <div><Button kind="primary" type="submit" busy={change.isPending}>{m.account.change}</Button></div>
      </form>
    </section>
  );
}
