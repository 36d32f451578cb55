/** The drawer with the people behind a number. */
import type { Cohort, Coordinate, Insight, PersonBehind } from '@nimbus-analytics/sdk';
import { createCohortMutation } from '@nimbus-analytics/sdk/react-query';
import { useMutation } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { IconDownload, IconUserOff, IconUsersPlus } from '@tabler/icons-react';
import { useState, type ReactNode } from 'react';
import { idempotencyKey, sentAgain } from '../api';
import { dateTime, number } from '../format';
import { refreshCohorts, useCan } from '../hooks';
import { downloadCsv } from '../lib/download';
import { m } from '../messages';
import { anonymousOf, isVisitor } from '../people/id';
import { Naming } from '../saved/Naming';
import { Button, CopyButton, Dialog, Empty, Failure, Skeleton, toast } from '../ui';
import { everyoneBehind, usePeopleBehind } from './ask';
import { w } from './messages';

const mostInFile = 20_000;

interface Props {
  projectId: string;
  question: Insight;
  at: Coordinate;
  /** What they did, in words. */
  title: string;
  zone: string;
  /** Whether a person may be behind the number more than once. */
  again: boolean;
  actions?: ReactNode;
  onClose: () => void;
}

export default function Behind({ projectId, question, at, title, zone, again, actions, onClose }: Props) {
  const list = usePeopleBehind(projectId, question, at);
  const people = list.data?.pages.flatMap((page) => page.items) ?? [];
  const total = list.data?.pages[0]?.total;
  const unit = question.count_groups;
  const canSave = useCan()('admin') && unit === undefined;
  const [saving, setSaving] = useState(false);
  const create = useMutation({
    ...createCohortMutation(),
    ...sentAgain,
    onSuccess: async (made: Cohort) => {
      await refreshCohorts();
      setSaving(false);
      toast(w.behind.saved(made.name));
    },
  });
  const csv = useMutation({
    mutationFn: () => everyoneBehind(projectId, question, at, mostInFile),
    onSuccess: (all) => {
      downloadCsv('nimbus-people.csv', [[w.behind.person, w.behind.when], ...all.map((p) => [p.person, p.ts])]);
      if (total !== undefined && all.length < total) toast(w.behind.csvSome(number(all.length)));
    },
  });
  return (
    <Dialog title={total === undefined ? w.behind.title : unit ? w.behind.groups(unit, number(total)) : (again ? w.counted.totals : w.people)(total, number(total))} variant="side" onClose={onClose}>
      <div className="stack">
        <p className="muted wrap-any">{title}</p>
        <div className="row wrap">
          <Button className="tiny" busy={csv.isPending} disabled={people.length === 0} onClick={() => csv.mutate()}><IconDownload size={15} aria-hidden />{w.behind.csv}</Button>
          {people.length > 0 && <CopyButton text={people.map((p) => p.person).join('\n')} label={w.behind.copyIds} />}
          {canSave && people.length > 0 && <Button className="tiny" onClick={() => setSaving(true)}><IconUsersPlus size={15} aria-hidden />{w.behind.save}</Button>}
          {actions}
        </div>
        {csv.error && <Failure error={csv.error} />}
        {again && <p className="muted small">{w.behind.again}</p>}
        {list.error && people.length === 0 ? (
          <Failure error={list.error} retry={() => void list.refetch()} />
        ) : !list.data ? (
          <div className="stack tight" role="status" aria-label={w.behind.loading}>{Array.from({ length: 8 }, (_, i) => <Skeleton key={i} height={26} />)}</div>
        ) : people.length === 0 ? (
          <Empty icon={IconUserOff} title={w.behind.none}><p>{w.behind.noneText}</p></Empty>
        ) : (
          <table className="table compact">
            <thead><tr><th>{unit ?? w.behind.person}</th><th className="right">{w.behind.when}</th></tr></thead>
            <tbody>
              {people.map((p, i) => (
                <tr key={`${p.person} ${i}`}>
                  <td className="wrap-any">{unit ? p.person : <Person projectId={projectId} person={p} />}</td>
                  <td className="right muted">{dateTime(p.ts, zone)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
        {list.isFetchNextPageError && <Failure error={list.error} />}
        {list.hasNextPage && <Button busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>{w.behind.more}</Button>}
      </div>
      {saving && (
        <Naming
          title={w.behind.saveTitle}
          placeholder={w.behind.savePlaceholder}
          action={m.save}
          name={title.slice(0, 100)}
          description=""
          busy={create.isPending}
          error={create.error}
          onClose={() => setSaving(false)}
          onSubmit={(named) => create.mutate({ path: { project_id: projectId }, headers: idempotencyKey(), body: { ...named, kind: 'fixed', behind: { question, at } } })}
        />
      )}
    </Dialog>
  );
}

/** A person, whose profile opens at the moment that put him behind the number. */
function Person({ projectId, person: { person, ts } }: { projectId: string; person: PersonBehind }) {
  return <Link {...(isVisitor(person) && { title: w.behind.visitorHelp })} to="/projects/$projectId/people/$person" params={{ projectId, person }} search={{ at: ts }}>{isVisitor(person) ? w.behind.visitor(anonymousOf(person)) : person}</Link>;
}
