/** Deletes a report when the time to undo it is over. Until then it is only out of sight. */
import { deleteReport, NimbusError, type Report } from '@nimbus-analytics/sdk';
import { useSyncExternalStore } from 'react';
import { queryClient } from '../api';
import { signal } from '../lib/signal';
import { m } from '../messages';
import { toast } from '../ui';

let going: ReadonlySet<string> = new Set();
const { watch, notify } = signal();
function set(id: string, goes: boolean) {
  going = new Set(goes ? [...going, id] : [...going].filter((x) => x !== id));
  notify();
}

/** The ids of the reports that are about to be deleted. */
export const useGoing = () => useSyncExternalStore(watch, () => going);

export function removeReport(project_id: string, report: Report) {
  set(report.id, true);
  toast(m.reports.removed(report.name), {
    undo: () => set(report.id, false),
    after: () => void remove(project_id, report),
  });
}

async function remove(project_id: string, report: Report) {
  try {
    // keepalive: it is done too when the page is being left.
    await deleteReport({ path: { project_id, report_id: report.id }, keepalive: true });
    await queryClient.invalidateQueries({ queryKey: [{ tags: ['Reports'] }] });
  } catch (error) {
    if (!(error instanceof NimbusError) || error.status !== 404) toast(m.reports.notRemoved(report.name));
  } finally {
    set(report.id, false);
  }
}
