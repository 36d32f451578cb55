/** Saves the people of a list as a cohort: the conditions, or those who fit them now. */
import { changeCohortPeople, createCohort, type Cohort } from '@nimbus-analytics/sdk';
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { idempotencyKey } from '../../api';
import { number } from '../../format';
import { refreshCohorts } from '../../hooks';
import { m } from '../../messages';
import { everyone, type Sought } from '../../people/ask';
import { listed } from '../../people/ids';
import { p } from '../../people/messages';
import { Naming, type Named } from '../../saved/Naming';
import { Segments, toast } from '../../ui';

const mostListed = 20_000;

export function SaveCohort({ projectId, sought, total, onClose }: { projectId: string; sought: Sought; total: number; onClose: () => void }) {
  const navigate = useNavigate();
  const canLive = sought.where !== undefined && sought.search === undefined;
  const [kind, setKind] = useState<Cohort['kind']>(canLive ? 'live' : 'fixed');
  const [begun, setBegun] = useState<Cohort>(); // a second try goes on with the cohort that the first one made
  const save = useMutation({
    mutationFn: async (named: Named) => {
      const body = { ...named, kind, ...(kind === 'live' && { where: sought.where }) };
      const made = begun ?? (await createCohort({ path: { project_id: projectId }, headers: idempotencyKey(), body, throwOnError: true })).data;
      setBegun(made);
      if (kind === 'fixed') {
        const people = await everyone(projectId, { ...sought, columns: [] }, mostListed);
        await changeCohortPeople({ path: { project_id: projectId, cohort_id: made.id }, body: { mode: 'replace', ...listed(people.map(({ person }) => person)) }, throwOnError: true });
      }
      return made;
    },
    onSuccess: async (made) => {
      await refreshCohorts();
      toast(p.cohort.made(made.name));
      void navigate({ to: '/projects/$projectId/cohorts/$cohortId', params: { projectId, cohortId: made.id } });
    },
  });
  const tooMany = kind === 'fixed' && total > mostListed;
  return (
    <Naming title={p.list.saveTitle} placeholder={p.list.savePlaceholder} action={m.save} name="" description="" busy={save.isPending} error={save.error} disabled={tooMany} onClose={onClose} onSubmit={(named) => save.mutate(named)}>
      <div className="field">
        {canLive && <div><Segments label={p.cohort.kind} value={kind} options={[{ value: 'live', label: p.list.living }, { value: 'fixed', label: p.list.fixed }]} onChange={setKind} /></div>}
        <span className="hint">{tooMany ? p.list.tooMany(number(mostListed)) : kind === 'live' ? p.list.livingHint : [p.list.fixedHint(p.people(total, number(total))), sought.search !== undefined && p.list.searchIsFixed].filter(Boolean).join(' ')}</span>
      </div>
    </Naming>
  );
}
