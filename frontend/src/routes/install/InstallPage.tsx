import type { Project } from '@nimbus-analytics/sdk';
import { createApiKeyMutation, createWriteKeyMutation, listEventsOptions, listWriteKeysOptions } from '@nimbus-analytics/sdk/react-query';
import { useMutation, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { IconAlertTriangle, IconCircleCheck, IconKey } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { idempotencyKey, queryClient, sentAgain } from '../../api';
import { nimbusUrl } from '../../base';
import { ago, date } from '../../format';
import { useCan, useProject, useTitle } from '../../hooks';
import { useWhenStored } from '../../live';
import { m } from '../../messages';
import { Button, Code, Failure, NeedsRole, Notice, Segments } from '../../ui';
import { zonePref } from '../../prefs';
import { freshKey, keepFresh, SecretOnce } from '../../secret';
import { w } from './messages';
import type { Keys } from './snippets';
import { vendors, type Vendor } from './vendors';
import { Moving, VendorFields } from './VendorSteps';
import { kotlin, own, type Way } from './ways';
import './install.css';

const route = getRouteApi('/app/projects/$projectId/install');

export function InstallPage() {
  useTitle(m.install.title);
  const project = useProject()!;
  const can = useCan();
  const fresh = freshKey(project.id);
  const navigate = route.useNavigate();
  const { sdk } = route.useSearch();
  const vendor = vendors.find((one) => one.id === sdk);
  const way = vendor ?? own.find((one) => one.id === sdk) ?? own[0]!;
  const keys: Keys = { url: nimbusUrl, projectId: project.id, keyId: fresh?.keyId ?? project.api_key_id, secret: fresh?.secret };
  return (
    <>
      <header className="page-head">
        <h1>{m.install.title}</h1>
        <p className="lead">{w.lead}</p>
      </header>
      <div className="install">
        <div className="stack">
          {fresh && (
            <section className="panel">
              <header><IconKey size={17} aria-hidden /><h2>{w.secretTitle}</h2></header>
              <div className="body stack">
                <p className="muted">{w.secretText}</p>
                <SecretOnce made={fresh} />
              </div>
            </section>
          )}
          <section className="panel">
            <div className="body stack">
              {([[w.own, own], [w.vendors, vendors]] as const).map(([label, ways]) => (
                <div key={label} className="stack tight">
                  <span className="label">{label}</span>
                  <div><Segments label={label} value={way.id} options={ways.map((one) => ({ value: one.id, label: one.label }))} onChange={(id) => void navigate({ search: { sdk: id }, replace: true })} /></div>
                </div>
              ))}
              {way.key === 'write' ? <WithWriteKey key={way.id} way={way} vendor={vendor} keys={keys} project={project} canCreate={can('admin')} /> : (
                <>
                  {!fresh && <SecretGone projectId={project.id} way={way} canCreate={can('admin')} />}
                  {way === kotlin && <KotlinMissing />}
                  <Steps way={way} keys={keys} />
                </>
              )}
            </div>
          </section>
        </div>
        <Waiting projectId={project.id} />
      </div>
    </>
  );
}

function Steps({ way, keys }: { way: Way; keys: Keys }) {
  return way.steps(keys).map(({ title, code, wrap = false }) => (
    <div key={title} className="stack tight">
      <h2 className="step">{title}</h2>
      <Code wrap={wrap} text={code} />
    </div>
  ));
}

/** Only a server that was built with Maven at hand has the SDK for Kotlin; its list says so. */
function KotlinMissing() {
  const list = useQuery({
    queryKey: ['sdks'],
    queryFn: async ({ signal }) => (await (await fetch(`${nimbusUrl}/sdk/`, { signal })).json()) as { packages: { name: string }[] },
  });
  if (list.error) return <Failure error={list.error} retry={() => void list.refetch()} />;
  if (!list.data || list.data.packages.some((one) => one.name === 'io.github.bahagh:nimbus-analytics')) return null;
  return <Notice kind="warn" icon={IconAlertTriangle}>{w.noKotlin}</Notice>;
}

/** The secret cannot be shown again. A key of its own makes the snippet complete, and leaves those in use alone. */
function SecretGone({ projectId, way, canCreate }: { projectId: string; way: Way; canCreate: boolean }) {
  const create = useMutation({
    ...createApiKeyMutation(),
    ...sentAgain,
    onSuccess: (made) => {
      keepFresh({ projectId, keyId: made.api_key.id, secret: made.api_key_secret });
      void queryClient.invalidateQueries({ queryKey: [{ _id: 'listApiKeys' }] });
    },
  });
  const zone = zonePref.use();
  const nameNow = () => w.keyName(way.label, date(new Date().toISOString(), zone));
  return (
    <Notice icon={IconKey}>
      <p>{w.secretGone} {w.secretGoneHelp}{canCreate && ` ${w.orNewKey}`}</p>
      {canCreate && (
        <div className="row wrap" style={{ marginTop: 8 }}>
          <Button className="tiny" busy={create.isPending} onClick={() => create.mutate({ path: { project_id: projectId }, headers: idempotencyKey(), body: { name: nameNow(), scopes: ['events:write'] } })}>{w.newKey}</Button>
          <Link to="/projects/$projectId/keys" params={{ projectId }} style={{ textDecoration: 'underline' }}>{w.goKeys}</Link>
        </div>
      )}
      {create.error && <Failure error={create.error} />}
    </Notice>
  );
}

/** The first write key of the project, with its snippets; who may makes one when there is none. */
function WithWriteKey({ way, vendor, keys, project, canCreate }: { way: Way; vendor: Vendor | undefined; keys: Keys; project: Project; canCreate: boolean }) {
  const path = { project_id: keys.projectId };
  const list = useQuery({ ...listWriteKeysOptions({ path }), enabled: canCreate });
  const create = useMutation({
    ...createWriteKeyMutation(),
    ...sentAgain,
    onSuccess: () => queryClient.invalidateQueries({ queryKey: [{ _id: 'listWriteKeys' }] }),
  });
  if (!canCreate) return <NeedsRole>{w.writeKeyNeeded} {w.askAdmin}</NeedsRole>;
  if (list.error) return <Failure error={list.error} retry={() => void list.refetch()} />;
  const key = list.data?.items[0];
  if (!key)
    return (
      <div className="stack">
        <p className="muted">{w.writeKeyNeeded}</p>
        {create.error && <Failure error={create.error} />}
        <div><Button kind="primary" busy={create.isPending || list.isPending} onClick={() => create.mutate({ path, headers: idempotencyKey(), body: { allowed_origins: [] } })}>{w.createWriteKey}</Button></div>
      </div>
    );
  const all: Keys = { ...keys, writeKey: key.key, writeKeyId: key.id };
  return (
    <>
      {vendor && <VendorFields vendor={vendor} keys={all} project={project} />}
      <Steps way={way} keys={all} />
      {vendor && <Moving vendor={vendor} />}
      {key.allowed_origins.length === 0 && <Notice kind="warn" icon={IconAlertTriangle}>{w.writeKeyOpen}</Notice>}
    </>
  );
}

/** Waits for the first event, by the stream and by polling, and says what to check when it takes long. */
function Waiting({ projectId }: { projectId: string }) {
  const stream = useWhenStored(projectId, () => void queryClient.invalidateQueries({ queryKey: [{ _id: 'listEvents' }] }), 200);
  const last = useQuery({
    ...listEventsOptions({ query: { project_id: projectId, limit: 1 } }),
    refetchInterval: (q) => (stream.state === 'open' ? false : q.state.data?.items.length ? 10_000 : 2000),
    staleTime: 0,
  });
  const { refetch } = last;
  useEffect(() => {
    if (stream.state === 'open') void refetch(); // the stream has no events from before it was open
  }, [stream.state, refetch]);
  const [waited, setWaited] = useState(false);
  const [saw, setSaw] = useState<'nothing' | 'something'>();
  const event = last.data?.items[0];
  // Whether the first event came while this page was open, or was there before.
  if (last.data && saw === undefined) setSaw(event ? 'something' : 'nothing');
  useEffect(() => {
    const timer = setTimeout(() => setWaited(true), 30_000);
    return () => clearTimeout(timer);
  }, []);

  return (
    <section className="panel waiting" aria-live="polite">
      <div className="body stack">
        {event ? (
          <>
            <Notice kind="good" icon={IconCircleCheck}>
              <strong>{saw === 'something' ? w.receiving : w.arrived(event.name)}</strong>
              <p className="muted">{saw === 'something' ? w.last(event.name, ago(event.received_at)) : w.arrivedHelp}</p>
            </Notice>
            <Link className="button primary" to="/projects/$projectId/insights" params={{ projectId }} search={{ series: [{ event: event.name }], range: '24h' }}>{w.seeChart}</Link>
          </>
        ) : (
          <>
            <div className="row">
              <span className="dot pulse" style={{ color: 'var(--accent-text)' }} />
              <strong>{w.waiting}</strong>
            </div>
            <p className="muted">{w.waitingHelp}</p>
            {waited && (
              <div className="stack tight">
                <h2 className="step">{w.slow}</h2>
                <ul className="checks">
                  {w.slowList.map((line) => (
                    <li key={line}>{line}</li>
                  ))}
                </ul>
              </div>
            )}
          </>
        )}
      </div>
    </section>
  );
}
