/** The list of a fixed cohort: ids that are typed, pasted or come from a file are added, taken out, or replace it. */
import type { Cohort, CohortPeopleChange } from '@nimbus-analytics/sdk';
import { changeCohortPeopleMutation } from '@nimbus-analytics/sdk/react-query';
import { useMutation } from '@tanstack/react-query';
import { IconFileUpload, IconInfoCircle } from '@tabler/icons-react';
import { useId, useState } from 'react';
import { number } from '../../format';
import { refreshCohorts, useCan } from '../../hooks';
import { idsIn } from '../../people/ids';
import { p } from '../../people/messages';
import { ifMatch } from '../../saved/Conflict';
import { Button, Failure, Notice, Segments, toast } from '../../ui';

const modes = ['add', 'remove', 'replace'] as const;

export function IdsField({ value, onChange }: { value: string; onChange: (text: string) => void }) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{p.cohort.ids}</label>
      <textarea id={id} className="input mono" rows={6} spellCheck={false} aria-describedby={`${id}-hint`} value={value} onChange={(e) => onChange(e.target.value)} />
      <span className="hint" id={`${id}-hint`}>{p.cohort.idsHint}</span>
      <label className="button tiny file">
        <IconFileUpload size={15} aria-hidden />{p.cohort.file}
        <input
          type="file"
          className="sr"
          accept=".csv,.txt,text/csv,text/plain"
          onChange={(e) => {
            const file = e.target.files?.[0];
            if (file) void file.text().then(onChange);
            e.target.value = ''; // the same file can be chosen again
          }}
        />
      </label>
    </div>
  );
}

export function ListPanel({ cohort, projectId, onChanged }: { cohort: Cohort; projectId: string; onChanged: (version: number) => void }) {
  const canEdit = useCan()('admin');
  const [text, setText] = useState('');
  const [mode, setMode] = useState<(typeof modes)[number]>('add');
  const ids = idsIn(text);
  const change = useMutation({
    ...changeCohortPeopleMutation(),
    onSuccess: async (done) => {
      onChanged(done.version);
      toast(p.cohort.changedList(done.changed, number(done.changed)));
      setText('');
      await refreshCohorts();
    },
  });
  return (
    <section className="panel" aria-label={p.cohort.listTitle}>
      <header><h2>{p.cohort.listTitle}</h2></header>
      <div className="body stack">
        <p className="muted small">{p.cohort.fixedHint}</p>
        {change.data && <Unknown change={change.data} />}
        {canEdit && (
          <>
            <div><Segments label={p.cohort.mode} value={mode} options={modes.map((value) => ({ value, label: p.cohort.modes[value] }))} onChange={setMode} /></div>
            <IdsField value={text} onChange={setText} />
            {change.error && <Failure error={change.error} />}
            <div><Button kind="primary" busy={change.isPending} disabled={ids === undefined} onClick={() => ids && change.mutate({ path: { project_id: projectId, cohort_id: cohort.id }, headers: ifMatch(cohort.version), body: { mode, ...ids } })}>{p.cohort.apply[mode]}</Button></div>
          </>
        )}
      </div>
    </section>
  );
}

/** Ids that nobody has are no fault, but often a wrong column. */
function Unknown({ change }: { change: CohortPeopleChange }) {
  if (change.unknown_count === 0) return null;
  return (
    <Notice icon={IconInfoCircle} role="status">
      <p>{p.cohort.unknown(change.unknown_count, number(change.unknown_count))}</p>
      <p className="small mono wrap-any">{p.cohort.unknownSome} {change.unknown.slice(0, 10).join(', ')}</p>
    </Notice>
  );
}
