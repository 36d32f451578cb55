/** The sessions of the account; each can be ended here. */
import type { SessionInfo, SessionList } from '@nimbus-analytics/sdk';
import { revokeSession } from '@nimbus-analytics/sdk';
import { listSessionsOptions } from '@nimbus-analytics/sdk/react-query';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { queryClient } from '../../api';
import { ago, dateTime } from '../../format';
import { agentLabel } from '../../lib/agent';
import { m } from '../../messages';
import { zonePref } from '../../prefs';
import { Button, Confirm, Failure, Skeleton, toast } from '../../ui';

const options = listSessionsOptions();

export function Sessions() {
  const list = useQuery({ ...options, staleTime: 0 });
  const [asking, setAsking] = useState(false);
  const others = list.data?.items.filter((s) => !s.current) ?? [];
  // Removed at once (optimistically); restored when the server refuses.
  const end = useMutation({
    mutationFn: (ids: string[]) => Promise.all(ids.map((session_id) => revokeSession({ path: { session_id } }))),
    onMutate: async (ids) => {
      await queryClient.cancelQueries(options);
      const before = queryClient.getQueryData(options.queryKey);
      queryClient.setQueryData(options.queryKey, (old: SessionList | undefined) => old && { items: old.items.filter((s) => !ids.includes(s.id)) });
      return before;
    },
    onError: (_, __, before) => queryClient.setQueryData(options.queryKey, before),
    onSuccess: (_, ids) => {
      setAsking(false);
      toast(ids.length > 1 ? m.account.endedOthers : m.account.ended);
    },
    onSettled: () => queryClient.invalidateQueries({ queryKey: options.queryKey }),
  });
  return (
    <section className="panel">
      <header>
        <h2>{m.account.sessions}</h2>
        {others.length > 0 && <Button className="tiny end" onClick={() => setAsking(true)}>{m.account.endOthers}</Button>}
      </header>
      <div className="body stack">
        <p className="muted">{m.account.sessionsText}</p>
        {list.error && !list.data && <Failure error={list.error} retry={() => void list.refetch()} />}
        {end.error && !asking && <Failure error={end.error} />}
        {list.isPending && <Skeleton height={96} />}
        <ul className="lines">
          {list.data?.items.map((s) => (
            <Line key={s.id} session={s} end={() => end.mutate([s.id])} />
          ))}
        </ul>
      </div>
      {asking && <Confirm title={m.account.endOthersTitle} text={m.account.endOthersText} action={m.account.endOthers} busy={end.isPending} error={end.error} onConfirm={() => end.mutate(others.map((s) => s.id))} onClose={() => setAsking(false)} />}
    </section>
  );
}

function Line({ session: s, end }: { session: SessionInfo; end: () => void }) {
  const zone = zonePref.use();
  const what = agentLabel(s.user_agent);
  return (
    <li className="row">
      <div className="grow">
        <div className="row wrap" style={{ gap: '2px 8px' }}><strong className="truncate" title={s.user_agent}>{what}</strong>{s.current && <span className="badge good">{m.account.thisSession}</span>}</div>
        <p className="muted small"><span className="num">{s.ip ?? m.audit.unknown}</span> · <span title={dateTime(s.created_at, zone)}>{m.account.opened(ago(s.created_at))}</span> · <span title={dateTime(s.last_seen_at, zone)}>{m.account.seen(ago(s.last_seen_at))}</span></p>
      </div>
      {!s.current && <Button className="tiny" aria-label={m.account.endWhich(`${what}, ${m.account.opened(ago(s.created_at))}`)} onClick={end}>{m.account.end}</Button>}
    </li>
  );
}
