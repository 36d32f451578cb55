import { createApiKeyMutation, createWriteKeyMutation, listEventsOptions, listWriteKeysOptions } from '@nimbus-analytics/sdk/react-query';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { IconAlertTriangle, IconCircleCheck, IconKey } from '@tabler/icons-react';
import { useEffect, useState, type ReactNode } from 'react';
import { idempotencyKey, queryClient, sentAgain } from '../../api';
import { nimbusUrl } from '../../base';
import { ago, date } from '../../format';
import { useCan, useProject, useTitle } from '../../hooks';
import { useWhenStored } from '../../live';
import { m } from '../../messages';
import { Button, Code, Failure, NeedsRole, Notice, Segments } from '../../ui';
import { zonePref } from '../../prefs';
import { freshKey, keepFresh, SecretOnce } from '../../secret';
import { version } from '../../../../sdk/typescript/package.json';
import * as snippets from './snippets';
import './install.css';

const ways = ['curl', 'node', 'go', 'browser'] as const;

export function InstallPage() {
  useTitle(m.install.title);
  const project = useProject()!;
  const can = useCan();
  const fresh = freshKey(project.id);
  const [way, setWay] = useState<(typeof ways)[number]>('curl');
  const keys: snippets.Keys = { url: nimbusUrl, projectId: project.id, keyId: fresh?.keyId ?? project.api_key_id, secret: fresh?.secret };
  return (
    <>
      <header className="page-head">
        <h1>{m.install.title}</h1>
        <p className="lead">{m.install.lead}</p>
      </header>
      <div className="install">
        <div className="stack">
          {fresh && (
            <section className="panel">
              <header><IconKey size={17} aria-hidden /><h2>{m.install.secretTitle}</h2></header>
              <div className="body stack">
                <p className="muted">{m.install.secretText}</p>
                <SecretOnce made={fresh} />
              </div>
            </section>
          )}
          <section className="panel">
            <div className="body stack">
              <div className="scroll-x"><Segments label={m.install.title} value={way} options={ways.map((w) => ({ value: w, label: m.install[w] }))} onChange={setWay} /></div>
              {!fresh && way !== 'browser' && <SecretGone projectId={project.id} way={way} canCreate={can('admin')} />}
              {way === 'curl' && <Step title={m.install.curlText}><Code text={snippets.curl(keys)} /></Step>}
              {way === 'node' && (
                <>
                  <Step title={m.install.installFirst}><Code wrap text={snippets.installNode(nimbusUrl, version)} /></Step>
                  <Step title={m.install.saveNode}><Code text={snippets.node(keys)} /></Step>
                </>
              )}
              {way === 'go' && (
                <>
                  <Step title={m.install.installFirst}><Code wrap text={snippets.installGo(nimbusUrl)} /></Step>
                  <Step title={m.install.saveGo}><Code text={snippets.go(keys)} /></Step>
                </>
              )}
              {way === 'browser' && (can('admin') ? <Browser keys={keys} /> : <NeedsRole>{m.install.writeKeyNeeded} {m.install.askAdmin}</NeedsRole>)}
            </div>
          </section>
        </div>
        <Waiting projectId={project.id} />
      </div>
    </>
  );
}

function Step({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="stack tight">
      <h2 className="step">{title}</h2>
      {children}
    </div>
  );
}

/** The secret cannot be shown again. A key of its own makes the snippet complete, and leaves those in use alone. */
function SecretGone({ projectId, way, canCreate }: { projectId: string; way: Exclude<(typeof ways)[number], 'browser'>; canCreate: boolean }) {
  const create = useMutation({
    ...createApiKeyMutation(),
    ...sentAgain,
    onSuccess: (made) => {
      keepFresh({ projectId, keyId: made.api_key.id, secret: made.api_key_secret });
      void queryClient.invalidateQueries({ queryKey: [{ _id: 'listApiKeys' }] });
    },
  });
  const zone = zonePref.use();
  const nameNow = () => m.install.keyName(m.install[way], date(new Date().toISOString(), zone));
  return (
    <Notice icon={IconKey}>
      <p>{m.install.secretGone} {m.install.secretGoneHelp}{canCreate && ` ${m.install.orNewKey}`}</p>
      {canCreate && (
        <div className="row wrap" style={{ marginTop: 8 }}>
          <Button className="tiny" busy={create.isPending} onClick={() => create.mutate({ path: { project_id: projectId }, headers: idempotencyKey(), body: { name: nameNow(), scopes: ['events:write'] } })}>{m.install.newKey}</Button>
          <Link to="/projects/$projectId/keys" params={{ projectId }} style={{ textDecoration: 'underline' }}>{m.install.goKeys}</Link>
        </div>
      )}
      {create.error && <Failure error={create.error} />}
    </Notice>
  );
}

function Browser({ keys }: { keys: snippets.Keys }) {
  const path = { project_id: keys.projectId };
  const list = useQuery(listWriteKeysOptions({ path }));
  const create = useMutation({
    ...createWriteKeyMutation(),
    ...sentAgain,
    onSuccess: () => queryClient.invalidateQueries({ queryKey: [{ _id: 'listWriteKeys' }] }),
  });
  if (list.error) return <Failure error={list.error} retry={() => void list.refetch()} />;
  const key = list.data?.items[0];
  if (!key)
    return (
      <div className="stack">
        <p className="muted">{m.install.writeKeyNeeded}</p>
        {create.error && <Failure error={create.error} />}
        <div><Button kind="primary" busy={create.isPending || list.isPending} onClick={() => create.mutate({ path, headers: idempotencyKey(), body: { allowed_origins: [] } })}>{m.install.createWriteKey}</Button></div>
      </div>
    );
  return (
    <>
      <Step title={m.install.pasteHtml}><Code wrap text={snippets.browser({ ...keys, writeKey: key.key })} /></Step>
      <Step title={m.install.pasteEvent}><Code wrap text={snippets.browserEvent} /></Step>
      {key.allowed_origins.length === 0 && <Notice kind="warn" icon={IconAlertTriangle}>{m.install.writeKeyOpen}</Notice>}
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
              <strong>{saw === 'something' ? m.install.receiving : m.install.arrived(event.name)}</strong>
              <p className="muted">{saw === 'something' ? m.install.last(event.name, ago(event.received_at)) : m.install.arrivedHelp}</p>
            </Notice>
            <Link className="button primary" to="/projects/$projectId/insights" params={{ projectId }} search={{ series: [{ event: event.name }], range: '24h' }}>{m.install.seeChart}</Link>
          </>
        ) : (
          <>
            <div className="row">
              <span className="dot pulse" style={{ color: 'var(--accent-text)' }} />
              <strong>{m.install.waiting}</strong>
            </div>
            <p className="muted">{m.install.waitingHelp}</p>
            {waited && (
              <div className="stack tight">
                <h2 className="step">{m.install.slow}</h2>
                <ul className="checks">
                  {m.install.slowList.map((line) => (
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
