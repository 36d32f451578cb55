/** The ids that are one person, and the merges that somebody made by hand, which can be taken back. */
import type { Merge, Person } from '@nimbus-analytics/sdk';
import { createMergeMutation, deleteMergeMutation, listMergesOptions } from '@nimbus-analytics/sdk/react-query';
import { useMutation, useQuery } from '@tanstack/react-query';
import { IconArrowMerge } from '@tabler/icons-react';
import { useState } from 'react';
import { queryClient } from '../../api';
import { date, number } from '../../format';
import { useCan } from '../../hooks';
import { m } from '../../messages';
import { isVisitor } from '../../people/id';
import { p } from '../../people/messages';
import { Button, Confirm, Dialog, Failure, fieldsOf, TextField, toast } from '../../ui';

const shown = 5;
/** Who is whom changes every answer. */
const refresh = () => queryClient.invalidateQueries();

export function Identity({ person, projectId, zone }: { person: Person; projectId: string; zone: string }) {
  const canMerge = useCan()('admin');
  const merges = useQuery({ ...listMergesOptions({ query: { project_id: projectId } }), enabled: person.user_ids.length > 1 });
  const own = (merges.data?.items ?? []).filter(({ from, into }) => person.user_ids.includes(from) || person.user_ids.includes(into));
  const [apart, setApart] = useState<Merge>();
  const [merging, setMerging] = useState(false);
  const undo = useMutation({
    ...deleteMergeMutation(),
    onSuccess: async () => {
      await refresh();
      toast(p.person.undone(apart!.from));
      setApart(undefined);
    },
  });
  return (
    <section className="panel" aria-labelledby="profile-ids">
      <header><h2 id="profile-ids">{p.person.ids}</h2></header>
      <div className="body stack">
        <dl className="facts">
          {person.user_ids.map((id) => <div key={id} className="fact"><dt>{p.person.userId}</dt><dd className="mono wrap-any">{id}</dd></div>)}
        </dl>
        {person.anonymous_ids.length > 0 && <Visitors ids={person.anonymous_ids} />}
        {merges.error && <Failure error={merges.error} retry={() => void merges.refetch()} />}
        {own.length > 0 && (
          <div className="stack tight">
            <h3>{p.person.merges}</h3>
            <ul className="lines">
              {own.map((merge) => (
                <li key={merge.id} className="row wrap">
                  <span className="grow wrap-any">{p.person.merged(merge.from, merge.into)} <span className="muted small">{p.person.since(date(merge.created_at, zone))}</span></span>
                  {canMerge && <Button className="tiny" onClick={() => setApart(merge)}>{p.person.undo}</Button>}
                </li>
              ))}
            </ul>
          </div>
        )}
        {canMerge && !isVisitor(person.person) && <div><Button className="tiny" onClick={() => setMerging(true)}><IconArrowMerge size={15} aria-hidden />{p.person.merge}</Button></div>}
      </div>
      {apart && (
        <Confirm title={p.person.undoTitle} text={p.person.undoText(apart.from, apart.into)} action={p.person.undo} busy={undo.isPending} error={undo.error} onClose={() => setApart(undefined)} onConfirm={() => undo.mutate({ path: { merge_id: apart.id }, query: { project_id: projectId } })} />
      )}
      {merging && <MergeDialog into={person.person} projectId={projectId} onClose={() => setMerging(false)} />}
    </section>
  );
}

function Visitors({ ids }: { ids: readonly string[] }) {
  const [all, setAll] = useState(false);
  return (
    <div className="stack tight">
      <h3>{p.person.visitorIds(ids.length, number(ids.length))}</h3>
      <ul className="small mono muted">{(all ? ids : ids.slice(0, shown)).map((id) => <li key={id} className="wrap-any">{id}</li>)}</ul>
      {!all && ids.length > shown && <div><Button kind="quiet" className="tiny" onClick={() => setAll(true)}>{p.person.showAll(number(ids.length))}</Button></div>}
    </div>
  );
}

function MergeDialog({ into, projectId, onClose }: { into: string; projectId: string; onClose: () => void }) {
  const [from, setFrom] = useState('');
  const merge = useMutation({
    ...createMergeMutation(),
    onSuccess: async () => {
      await refresh();
      toast(p.person.mergeDone(from.trim()));
      onClose();
    },
  });
  const wrong = fieldsOf(merge.error);
  return (
    <Dialog title={p.person.mergeTitle} onClose={onClose}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          merge.mutate({ body: { project_id: projectId, from: from.trim(), into } });
        }}
      >
        <div className="stack">
          <p className="muted">{p.person.mergeText(into)}</p>
          <TextField label={p.person.mergeId} required maxLength={200} autoComplete="off" spellCheck={false} value={from} error={wrong['from']} onChange={(e) => setFrom(e.target.value)} />
          {merge.error && !wrong['from'] && <Failure error={merge.error} />}
        </div>
        <div className="actions">
          <Button onClick={onClose}>{m.cancel}</Button>
          <Button kind="primary" type="submit" busy={merge.isPending} disabled={from.trim() === ''}>{p.person.mergeAction}</Button>
        </div>
      </form>
    </Dialog>
  );
}
