/** Somebody else changed what is being changed here: nothing is lost before one of the two is chosen. */
import { NimbusError } from '@nimbus-analytics/sdk';
import { listMembersOptions } from '@nimbus-analytics/sdk/react-query';
import { useQuery } from '@tanstack/react-query';
import { IconUsers } from '@tabler/icons-react';
import { nimbusUrl } from '../base';
import { m } from '../messages';
import { Button, Notice } from '../ui';

export const isConflict = (error: unknown) => error instanceof NimbusError && error.code === 'version_conflict';

/** The header with which only this version is changed. */
export const ifMatch = (version: number) => ({ 'If-Match': `"${version}"` });

export function Conflict({ projectId, by, other, busy, onReload, onOverwrite }: { projectId: string; by: string | null; other: string; busy: boolean; onReload: () => void; onOverwrite: () => void }) {
  const members = useQuery(listMembersOptions({ path: { project_id: projectId } })).data?.items;
  const email = members?.find((member) => member.account_id === by)?.email;
  return (
    <Notice kind="warn" icon={IconUsers} role="alert">
      <strong>{m.conflict.title(email)}</strong>
      <p>{m.conflict.text}</p>
      <div className="row wrap" style={{ marginTop: 8 }}>
        <a className="button tiny" href={nimbusUrl + other} target="_blank" rel="noopener">{m.conflict.look}</a>
        <Button className="tiny" onClick={onReload}>{m.conflict.reload}</Button>
        <Button className="tiny" busy={busy} onClick={onOverwrite}>{m.conflict.overwrite}</Button>
      </div>
    </Notice>
  );
}
