import type { Project, UpdateProjectRequest, WeekStart } from '@nimbus-analytics/sdk';
import { deleteProjectMutation, updateProjectMutation } from '@nimbus-analytics/sdk/react-query';
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { reloadProjects } from '../../api';
import { useCan, useProject, useTitle } from '../../hooks';
import { m } from '../../messages';
import { zones } from '../../prefs';
import { Button, Confirm, CopyButton, Dialog, Failure, fieldsOf, NeedsRole, SelectField, TextField, toast } from '../../ui';
import { Dialects } from './Dialects';

export function SettingsPage() {
  useTitle(m.settings.title);
  const project = useProject()!;
  const can = useCan();
  return (
    <div className="stack" style={{ maxWidth: 720, gap: 20 }}>
      <header className="page-head" style={{ marginBottom: 0 }}><h1>{m.settings.title}</h1></header>
      {!can('admin') && <NeedsRole>{m.settings.readOnly}</NeedsRole>}
      <General key={project.id} project={project} canChange={can('admin')} />
      <Dialects project={project} canChange={can('admin')} />
      <Danger project={project} canDelete={can('owner')} />
    </div>
  );
}

const retentions = [0, 30, 90, 180, 365, 730, 1095, 1825, 3650];

function retentionLabel(days: number): string {
  if (days === 0) return m.settings.forever;
  if (days === 365) return m.settings.year;
  return days % 365 === 0 ? m.settings.years(days / 365) : m.settings.days(days);
}

const currencies = new Intl.DisplayNames('en', { type: 'currency' });
const currencyName = (code: string) => currencies.of(code) ?? code;

function General({ project, canChange }: { project: Project; canChange: boolean }) {
  const [shown, setShown] = useState(project); // what the fields showed when they were filled
  const update = useMutation({
    ...updateProjectMutation(),
    onSuccess: async (saved) => {
      setShown(saved);
      await reloadProjects();
      toast(m.saved);
    },
  });
  const [asking, setAsking] = useState<UpdateProjectRequest>();
  const save = (body: UpdateProjectRequest) => update.mutate({ path: { project_id: project.id }, body });
  const fields = fieldsOf(update.error);
  return (
    <section className="panel">
      <header><h2>{m.settings.general}</h2></header>
      <form
        className="body stack"
        onSubmit={(e) => {
          e.preventDefault();
          const data = new FormData(e.currentTarget);
          const text = (name: string) => (data.get(name) as string).trim();
          const days = Number(data.get('retention'));
          // Unchanged fields are not sent: somebody else may have changed them since.
          const body: UpdateProjectRequest = {
            ...(text('name') !== shown.name && { name: text('name') }),
            ...(text('description') !== shown.description && { description: text('description') }),
            ...(days !== shown.data_retention_days && { data_retention_days: days }),
            ...(text('time_zone') !== shown.time_zone && { time_zone: text('time_zone') }),
            ...(text('week_start') !== shown.week_start && { week_start: text('week_start') as WeekStart }),
            ...(text('currency') !== shown.currency && { currency: text('currency') }),
          };
          if (Object.keys(body).length === 0) toast(m.saved);
          else if (body.data_retention_days && days < (project.data_retention_days || Infinity)) setAsking(body);
          else save(body);
        }}
      >
        {update.error && Object.keys(fields).length === 0 && <Failure error={update.error} />}
        <TextField label={m.settings.name} name="name" required maxLength={100} disabled={!canChange} defaultValue={shown.name} error={fields['name']} />
        <TextField label={m.settings.description} name="description" maxLength={1000} disabled={!canChange} defaultValue={shown.description} error={fields['description']} />
        <SelectField key={shown.data_retention_days} label={m.settings.retention} hint={m.settings.retentionHint} name="retention" disabled={!canChange} defaultValue={shown.data_retention_days}>
          {[...new Set([...retentions, shown.data_retention_days])].map((days) => (
            <option key={days} value={days}>{retentionLabel(days)}</option>
          ))}
        </SelectField>
        <SelectField key={shown.time_zone} label={m.settings.timeZone} hint={m.settings.timeZoneHint} name="time_zone" disabled={!canChange} defaultValue={shown.time_zone} error={fields['time_zone']}>
          {[...new Set([shown.time_zone, ...zones])].map((zone) => (
            <option key={zone}>{zone}</option>
          ))}
        </SelectField>
        <SelectField key={`${shown.week_start} week`} label={m.settings.weekStart} name="week_start" disabled={!canChange} defaultValue={shown.week_start}>
          <option value="monday">{m.settings.monday}</option>
          <option value="sunday">{m.settings.sunday}</option>
        </SelectField>
        <SelectField key={`${shown.currency} money`} label={m.settings.currency} hint={m.settings.currencyHint} name="currency" disabled={!canChange} defaultValue={shown.currency} error={fields['currency']}>
          {[...new Set([shown.currency, ...Intl.supportedValuesOf('currency')])].map((code) => (
            <option key={code} value={code}>{code} · {currencyName(code)}</option>
          ))}
        </SelectField>
        <div className="row wrap">
          {canChange && <Button kind="primary" type="submit" busy={update.isPending}>{m.save}</Button>}
          <span className="row small muted end"><span className="hide-narrow">{m.settings.projectId}</span><code className="truncate">{project.id}</code><CopyButton text={project.id} /></span>
        </div>
      </form>
      {asking && (
        <Confirm
          title={m.settings.shorter(retentionLabel(asking.data_retention_days!).toLowerCase())}
          text={m.settings.shorterText}
          action={m.settings.shorterAction}
          busy={false}
          error={undefined}
          onConfirm={() => {
            setAsking(undefined);
            save(asking);
          }}
          onClose={() => setAsking(undefined)}
        />
      )}
    </section>
  );
}

function Danger({ project, canDelete }: { project: Project; canDelete: boolean }) {
  const [asking, setAsking] = useState(false);
  const [typed, setTyped] = useState('');
  const navigate = useNavigate();
  const remove = useMutation({
    ...deleteProjectMutation(),
    onSuccess: async () => {
      toast(m.settings.deleted(project.name));
      await navigate({ to: '/projects' });
      await reloadProjects();
    },
  });
  return (
    <section className="panel">
      <header><h2>{m.settings.danger}</h2></header>
      <div className="body row wrap">
        <p className="muted grow">{m.settings.dangerText} {!canDelete && m.settings.onlyOwner}</p>
        <Button disabled={!canDelete} onClick={() => setAsking(true)}>{m.settings.deleteButton}</Button>
      </div>
      {asking && (
        <Dialog title={m.settings.deleteTitle(project.name)} onClose={() => setAsking(false)}>
          <form
            className="stack"
            onSubmit={(e) => {
              e.preventDefault();
              if (typed === project.name) remove.mutate({ path: { project_id: project.id } });
            }}
          >
            <p className="muted">{m.settings.deleteText}</p>
            {remove.error && <Failure error={remove.error} />}
            <TextField label={m.settings.deleteConfirm(project.name)} autoFocus autoComplete="off" value={typed} onChange={(e) => setTyped(e.target.value)} />
            <div className="actions">
              <Button onClick={() => setAsking(false)}>{m.cancel}</Button>
              <Button kind="danger" type="submit" disabled={typed !== project.name} busy={remove.isPending}>{m.settings.danger}</Button>
            </div>
          </form>
        </Dialog>
      )}
    </section>
  );
}
