import { exportAudit, type ApiKey, type AuditEntry, type Member } from '@nimbus-analytics/sdk';
import { listApiKeysOptions, listAuditInfiniteOptions, listAuditOptions, listMembersOptions } from '@nimbus-analytics/sdk/react-query';
import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { IconDownload, IconLock, IconRefresh, IconSearchOff } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { clock, date, dateTime } from '../../format';
import { useCan, useProject, useTitle } from '../../hooks';
import { agentLabel } from '../../lib/agent';
import { download } from '../../lib/download';
import { m } from '../../messages';
import { zonePref } from '../../prefs';
import { Button, CopyButton, Dialog, Empty, Failure, IconButton, SelectField, Skeleton, toast } from '../../ui';
import { spanned } from '../../query/range';
import { RangePicker } from '../../query/RangePicker';
import { instantOf, type AuditState } from './search';
import './audit.css';

export function AuditPage() {
  useTitle(m.audit.title);
  const can = useCan();
  if (can('admin')) return <Log />;
  return (
    <section className="panel">
      <Empty icon={IconLock} heading="h1" title={`${m.audit.title}: ${m.audit.forbiddenTitle}`}><p>{m.audit.forbidden}</p></Empty>
    </section>
  );
}

/** Names for the ids in the log. */
function useNames(projectId: string) {
  const path = { project_id: projectId };
  const members = useQuery(listMembersOptions({ path })).data?.items;
  const keys = useQuery(listApiKeysOptions({ path })).data?.items;
  return useMemo(() => ({ members: members ?? ([] as Member[]), keys: keys ?? ([] as ApiKey[]) }), [members, keys]);
}
type Names = ReturnType<typeof useNames>;

const keyName = (key: ApiKey) => m.audit.key(key.name || m.keys.mainKey);

function actorOf(e: AuditEntry, { keys }: Names): string {
  if (e.actor_kind === 'system') return m.audit.system;
  if (e.actor_email) return e.actor_email;
  const key = keys.find((k) => k.id === e.actor_id);
  return key ? keyName(key) : e.actor_id;
}

function targetOf(e: AuditEntry, { members, keys }: Names, project: { id: string; name: string }): string {
  if (e.target === project.id) return project.name;
  const key = keys.find((k) => k.id === e.target);
  const named = Object.entries(e.changes as Changes).find(([field]) => field === 'name' || field === 'email')?.[1];
  return members.find((x) => x.account_id === e.target)?.email ?? (key && keyName(key)) ?? (named ? text(named.new ?? named.old) : e.action.startsWith('write_key.') ? m.audit.writeKey(e.target) : e.target);
}

type Changes = Record<string, { old?: unknown; new?: unknown }>;
const text = (value: unknown): string => (value === undefined || value === null || value === '' ? m.audit.absent : typeof value === 'string' ? value : Array.isArray(value) ? value.map(text).join(', ') || m.audit.absent : JSON.stringify(value));

/** The changes in one line, without the name, which is shown above. */
const summary = (changes: Changes) =>
  Object.entries(changes)
    .filter(([field, c]) => !(field === 'name' && text(c.old) === m.audit.absent))
    .map(([field, c]) => (text(c.old) === m.audit.absent ? `${field}: ${text(c.new)}` : `${field}: ${text(c.old)} → ${text(c.new)}`))
    .join(' · ');

function Log() {
  const project = useProject()!;
  const state = useSearch({ from: '/app/projects/$projectId/audit' });
  const navigate = useNavigate({ from: '/projects/$projectId/audit' });
  const set = (change: Partial<AuditState>) => void navigate({ search: (s) => ({ ...s, ...change }), replace: 'entry' in change, resetScroll: !('entry' in change) });
  const zone = zonePref.use();
  const names = useNames(project.id);
  const [now, setNow] = useState(Date.now); // all pages of a list count back from one instant
  const filters = {
    ...(state.action && { action: [state.action] }),
    ...(state.actor && { actor: state.actor }),
    ...spanned(state, now, project.week_start),
  };
  const path = { project_id: project.id };
  const query = { ...filters, limit: 50 };
  const list = useInfiniteQuery({
    ...listAuditInfiniteOptions({ path, query }),
    initialPageParam: { path, query },
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    placeholderData: (old) => old,
    staleTime: 0,
  });
  const save = useMutation({
    // A stream that breaks off throws here, so that no incomplete file is saved.
    mutationFn: async () => (await exportAudit({ path, query: filters })).data,
    onSuccess: (lines) => {
      download(`nimbus-audit-${new Date().toISOString().slice(0, 10)}.ndjson`, new Blob([lines], { type: 'application/x-ndjson' }));
      toast(m.audit.exported);
    },
  });
  const entries = list.data?.pages.flatMap((p) => p.items) ?? [];
  const filtered = state.action !== undefined || state.actor !== undefined;
  const actors = [...names.members.map((x) => ({ id: x.account_id, label: x.email })), ...names.keys.map((k) => ({ id: k.id, label: keyName(k) }))];

  return (
    <>
      <header className="page-head">
        <h1>{m.audit.title}</h1>
        <div className="row wrap end">
          <RangePicker range={state} zone={zone} onChange={(r) => set({ range: undefined, from: undefined, to: undefined, ...r })} />
          <Button busy={save.isPending} title={m.audit.exportHint} onClick={() => save.mutate()}><IconDownload size={16} aria-hidden />{m.audit.export}</Button>
          <IconButton label={m.events.refresh} icon={IconRefresh} onClick={() => setNow(Date.now())} />
        </div>
        <p className="lead">{m.audit.lead}</p>
      </header>
      <div className="audit-filters">
        <SelectField label={m.audit.action} value={state.action ?? ''} onChange={(e) => set({ action: e.target.value || undefined })}>
          <option value="">{m.audit.anyAction}</option>
          {[...new Set([...Object.keys(m.audit.actions), ...(state.action ? [state.action] : [])])].map((a) => (
            <option key={a} value={a}>{m.audit.actions[a] ?? a}</option>
          ))}
        </SelectField>
        <SelectField label={m.audit.actor} value={state.actor ?? ''} onChange={(e) => set({ actor: e.target.value || undefined })}>
          <option value="">{m.audit.anyActor}</option>
          {actors.map((a) => (
            <option key={a.id} value={a.id}>{a.label}</option>
          ))}
          {state.actor && !actors.some((a) => a.id === state.actor) && <option value={state.actor}>{m.audit.someone(state.actor)}</option>}
        </SelectField>
        {filtered && <Button kind="quiet" onClick={() => set({ action: undefined, actor: undefined })}>{m.audit.clear}</Button>}
      </div>
      {save.error && <Failure error={save.error} retry={() => save.mutate()} />}
      {list.error && !list.data ? (
        <Failure error={list.error} retry={() => void list.refetch()} />
      ) : !list.data ? (
        <Skeleton height={320} />
      ) : entries.length === 0 ? (
        <section className="panel">
          <Empty icon={IconSearchOff} title={m.audit.emptyTitle}>
            <p>{m.audit.emptyText}</p>
            <Button onClick={() => set({ action: undefined, actor: undefined, range: '12mo', from: undefined, to: undefined })}>{m.audit.clear}</Button>
          </Empty>
        </section>
      ) : (
        <div className={list.isPlaceholderData ? 'panel stale' : 'panel'} aria-busy={list.isPlaceholderData}>
          <table className="table cards long audit">
            <thead>
              <tr><th>{m.audit.when}</th><th>{m.audit.actor}</th><th>{m.audit.what}</th><th>{m.audit.target}</th><th>{m.audit.where}</th></tr>
            </thead>
            <tbody>
              {entries.map((e) => (
                <tr key={e.id}>
                  <td className="num"><button type="button" className="cell" aria-label={`${m.audit.details}, ${dateTime(e.at, zone)}`} onClick={() => set({ entry: e.id, at: e.at })}>{date(e.at, zone)} <span className="muted">{clock(e.at, zone)}</span></button></td>
                  <td>{e.actor_kind === 'system' ? <span className="muted">{m.audit.system}</span> : <button type="button" className="cell truncate" title={m.events.filterBy(actorOf(e, names))} onClick={() => set({ actor: e.actor_id })}>{actorOf(e, names)}</button>}</td>
                  <td><button type="button" className="cell strong" title={m.events.filterBy(e.action)} onClick={() => set({ action: e.action })}>{m.audit.actions[e.action] ?? e.action}</button></td>
                  <td className="of"><span className="truncate" title={e.target}>{targetOf(e, names, project)}</span><span className="muted small truncate">{summary(e.changes as Changes)}</span></td>
                  <td className="muted num">{e.ip ?? m.audit.unknown}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {list.data && !list.isPlaceholderData && entries.length > 0 && (
        <div className="audit-foot">
          {list.isFetchNextPageError && <Failure error={list.error} retry={() => void list.fetchNextPage()} />}
          {list.isFetchNextPageError ? null : list.hasNextPage ? <Button busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>{m.audit.older}</Button> : <p className="muted small">{m.audit.end}</p>}
        </div>
      )}
      {state.entry && <Entry id={state.entry} at={state.at!} known={entries.find((e) => e.id === state.entry)} names={names} project={project} zone={zone} close={() => set({ entry: undefined, at: undefined })} />}
    </>
  );
}

/** One entry, from the log or from a link, whether or not it passes the filters. */
function Entry({ id, at, known, names, project, zone, close }: { id: string; at: string; known: AuditEntry | undefined; names: Names; project: { id: string; name: string }; zone: string; close: () => void }) {
  const moment = useQuery({ ...listAuditOptions({ path: { project_id: project.id }, query: { ...instantOf(at), limit: 500 } }), enabled: known === undefined });
  const e = known ?? moment.data?.items.find((x) => x.id === id);
  return (
    <Dialog variant="side" title={e ? (m.audit.actions[e.action] ?? e.action) : m.audit.entry} onClose={close}>
      {e ? (
        <Details entry={e} names={names} project={project} zone={zone} />
      ) : moment.error ? (
        <Failure error={moment.error} retry={() => void moment.refetch()} />
      ) : moment.data ? (
        <Empty icon={IconSearchOff} title={m.audit.noEntry}><p>{m.audit.noEntryText}</p></Empty>
      ) : (
        <Skeleton height={240} />
      )}
    </Dialog>
  );
}

function Details({ entry: e, names, project, zone }: { entry: AuditEntry; names: Names; project: { id: string; name: string }; zone: string }) {
  const changes = Object.entries(e.changes as Changes);
  const target = targetOf(e, names, project);
  return (
    <div className="stack">
      <dl className="facts">
        <dt>{m.audit.when}</dt><dd className="num">{dateTime(e.at, zone)}</dd>
        <dt>{m.audit.actor}</dt><dd className="wrap-any">{actorOf(e, names)}</dd>
        <dt>{m.audit.target}</dt><dd className="wrap-any">{target}{target !== e.target && <><br /><span className="mono muted">{e.target}</span></>}</dd>
        <dt>{m.audit.where}</dt><dd className="num">{e.ip ?? m.audit.unknown}</dd>
        {e.user_agent && (<><dt>{m.audit.agent}</dt><dd className="wrap-any" title={e.user_agent}>{agentLabel(e.user_agent)}</dd></>)}
        {e.request_id && (<><dt>{m.audit.request}</dt><dd className="mono wrap-any">{e.request_id}</dd></>)}
        <dt>{m.audit.id}</dt><dd className="mono wrap-any">{e.id}</dd>
      </dl>
      <div className="row wrap">
        <CopyButton className="" label={m.events.copyLink} text={location.href} />
        <CopyButton className="" label={m.events.copyJson} text={JSON.stringify(e, null, 2)} />
      </div>
      <div className="stack tight">
        <h3>{m.audit.changes}</h3>
        {changes.length === 0 ? <p className="muted">{m.audit.noChanges}</p> : (
          <div className="panel">
            <table className="table cards changes">
              <thead><tr><th>{m.audit.field}</th><th>{m.audit.before}</th><th>{m.audit.after}</th></tr></thead>
              <tbody>
                {changes.map(([field, c]) => (
                  <tr key={field}><td className="mono">{field}</td><td className="muted" data-label={m.audit.before}>{text(c.old)}</td><td data-label={m.audit.after}>{text(c.new)}</td></tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </div>
    </div>
  );
}
