import type { Dialect, Project } from '@nimbus-analytics/sdk';
import { updateProjectMutation } from '@nimbus-analytics/sdk/react-query';
import { useMutation } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { reloadProjects } from '../../api';
import { m } from '../../messages';
import { Confirm, Failure, toast } from '../../ui';
import { stateOf, switched } from './switches';
import { w } from './messages';

/** Switches for the vendors whose SDKs this project takes events from. One that goes off loses events, and asks before. */
export function Dialects({ project, canChange }: { project: Project; canChange: boolean }) {
  const [asking, setAsking] = useState<Dialect>();
  const update = useMutation({
    ...updateProjectMutation(),
    onSuccess: async () => {
      setAsking(undefined);
      await reloadProjects();
      toast(m.saved);
    },
  });
  const set = (dialect: Dialect, on: boolean) => update.mutate({ path: { project_id: project.id }, body: { dialects_off: switched(project.dialects_off, dialect, on) } });
  return (
    <section className="panel">
      <header><h2>{w.title}</h2></header>
      <div className="body stack">
        <p className="muted">{w.text} <Link to="/projects/$projectId/install" params={{ projectId: project.id }} search={{ sdk: 'segment' }} style={{ textDecoration: 'underline' }}>{w.howTo}</Link></p>
        {update.error && !asking && <Failure error={update.error} />}
        <div>
          {(Object.keys(w.vendors) as Dialect[]).map((dialect) => {
            const state = stateOf(project, dialect);
            const hint = { on: undefined, off: w.off, 'not spoken': w.notSpoken }[state];
            return (
              <div key={dialect} className="field">
                <label className="check">
                  <input type="checkbox" checked={state === 'on'} disabled={!canChange || state === 'not spoken' || update.isPending} aria-describedby={hint && `dialect-${dialect}`} onChange={(e) => (e.target.checked ? set(dialect, true) : setAsking(dialect))} />
                  {w.vendors[dialect]}
                </label>
                {hint && <span id={`dialect-${dialect}`} className="hint">{hint}</span>}
              </div>
            );
          })}
        </div>
      </div>
      {asking && <Confirm title={w.offTitle(w.vendors[asking])} text={w.offText} action={w.offAction} busy={update.isPending} error={update.error} onConfirm={() => set(asking, false)} onClose={() => setAsking(undefined)} />}
    </section>
  );
}
