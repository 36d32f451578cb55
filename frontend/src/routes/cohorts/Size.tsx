/** How many people are in a cohort: of the conditions as they are now, and over time of those that are saved. */
import type { CohortClause } from '@nimbus-analytics/sdk';
import { getCohortSizeOptions } from '@nimbus-analytics/sdk/react-query';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { IconInfoCircle, IconUsers } from '@tabler/icons-react';
import { lazy, Suspense, useState, type ReactNode } from 'react';
import { number } from '../../format';
import { useSize } from '../../people/ask';
import { complete, type Draft } from '../../people/clause';
import { p } from '../../people/messages';
import { zonePref } from '../../prefs';
import { Failure, Skeleton } from '../../ui';

const Trend = lazy(() => import('./Trend'));
const ninetyDays = 90 * 86_400_000;

/** The number while the conditions are being made. The one before stays until the next is there. */
export function LiveSize({ projectId, where, children }: { projectId: string; where: Draft | undefined; children?: ReactNode }) {
  const size = useSize(projectId, where);
  const asks = complete(where) !== undefined;
  const waits = size.isFetching || size.isPlaceholderData;
  return (
    <section className="panel size" aria-label={p.cohort.size}>
      <header><h2>{p.cohort.size}</h2>{asks && waits && <span className="spinner" role="status" aria-label={p.cohort.counting} />}</header>
      <div className="body stack tight">
        {where === undefined ? (
          <p className="muted">{p.cohort.choose}</p>
        ) : size.error && !size.data ? (
          <Failure error={size.error} retry={() => void size.refetch()} />
        ) : size.data ? (
          <>
            <Number value={size.data.size} stale={waits || !asks} />
            <div className="row wrap"><SeeThem projectId={projectId} where={asks ? (where as CohortClause) : undefined} /></div>
            {!asks && <p className="muted small" role="status">{p.cohort.incomplete}</p>}
            {children}
            <p className="muted small">{p.cohort.took(size.data.meta.took_ms.toFixed(1))}</p>
            <p className="muted small definition"><IconInfoCircle size={15} aria-hidden /><span>{size.data.meta.definition}</span></p>
          </>
        ) : asks ? (
          <Skeleton height={38} width={120} />
        ) : (
          <p className="muted">{p.cohort.choose}</p>
        )}
      </div>
    </section>
  );
}

function Number({ value, stale }: { value: number; stale: boolean }) {
  return <p className={`big ${stale ? 'stale' : ''}`} aria-live="polite" aria-busy={stale}><span className="num">{number(value)}</span><span className="muted">{p.people(value, '').trim()}</span></p>;
}

function SeeThem({ projectId, where }: { projectId: string; where: CohortClause | undefined }) {
  if (!where) return null;
  return <Link className="button tiny" to="/projects/$projectId/people" params={{ projectId }} search={{ where: where as Draft }}><IconUsers size={15} aria-hidden />{p.cohort.see}</Link>;
}

/** The size at the end of each week, of a cohort as it is saved. */
export function Trending({ projectId, cohortId }: { projectId: string; cohortId: string }) {
  const tz = zonePref.use();
  const [from] = useState(() => new Date(Date.now() - ninetyDays).toISOString());
  const size = useQuery(getCohortSizeOptions({ path: { project_id: projectId, cohort_id: cohortId }, query: { from, bucket: '1w', tz } }));
  if (size.error) return <Failure error={size.error} retry={() => void size.refetch()} />;
  return (
    <div className="stack tight">
      <h3>{p.cohort.trend}</h3>
      <Suspense fallback={<Skeleton height={180} />}>{size.data?.series ? <Trend series={size.data.series} tz={tz} /> : <Skeleton height={180} />}</Suspense>
    </div>
  );
}

/** The people of a fixed cohort: its list may name some whom nobody has seen yet. */
export function ListSize({ projectId, cohortId, listed }: { projectId: string; cohortId: string; listed: number }) {
  const size = useQuery(getCohortSizeOptions({ path: { project_id: projectId, cohort_id: cohortId } }));
  return (
    <section className="panel size" aria-label={p.cohort.size}>
      <header><h2>{p.cohort.size}</h2></header>
      <div className="body stack tight">
        {size.error ? <Failure error={size.error} retry={() => void size.refetch()} /> : size.data ? <Number value={size.data.size} stale={size.isFetching} /> : <Skeleton height={38} width={120} />}
        <p className="muted small">{p.cohort.listed(listed, number(listed))}</p>
        <div className="row wrap"><SeeThem projectId={projectId} where={{ op: 'in', cohort: cohortId }} /></div>
      </div>
    </section>
  );
}
