/** The accounts and projects of this server, for its operators. */
import { useTitle } from '../../hooks';
import { m } from '../../messages';
import { Accounts } from './Accounts';
import { Projects } from './Projects';

export function InstancePage() {
  useTitle(m.instance.title);
  return (
    <div className="stack" style={{ maxWidth: 1080, gap: 20 }}>
      <header className="page-head" style={{ marginBottom: 0 }}>
        <h1>{m.instance.title}</h1>
        <p className="lead">{m.instance.lead}</p>
      </header>
      <Accounts />
      <Projects />
    </div>
  );
}
