import { useCan, useProject, useTitle } from '../../hooks';
import { m } from '../../messages';
import { NeedsRole } from '../../ui';
import { ApiKeys } from './apiKeys';
import { MainKey, WriteKeys } from './keys';

export function KeysPage() {
  useTitle(m.keys.title);
  const project = useProject()!;
  const can = useCan();
  return (
    <div className="stack" style={{ maxWidth: 960, gap: 20 }}>
      <header className="page-head" style={{ marginBottom: 0 }}>
        <h1>{m.keys.title}</h1>
        <p className="lead">{m.keys.lead}</p>
      </header>
      {!can('admin') && <NeedsRole>{m.keys.readOnly} {m.keys.writeKeysHidden}</NeedsRole>}
      <MainKey project={project} canChange={can('admin')} />
      <ApiKeys projectId={project.id} canChange={can('admin')} />
      {can('admin') && <WriteKeys projectId={project.id} />}
    </div>
  );
}
