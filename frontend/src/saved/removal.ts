/** Deletes an insight when the time to undo it is over. Until then it is only out of sight. */
import { deleteInsight, NimbusError, type SavedInsight } from '@nimbus-analytics/sdk';
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

/** The ids of the insights that are about to be deleted. */
export const useGoing = () => useSyncExternalStore(watch, () => going);

export function removeInsight(project_id: string, insight: SavedInsight) {
  set(insight.id, true);
  toast(m.reports.removed(insight.name), {
    undo: () => set(insight.id, false),
    after: () => void remove(project_id, insight),
  });
}

async function remove(project_id: string, insight: SavedInsight) {
  try {
    // keepalive: it is done too when the page is being left.
    await deleteInsight({ path: { project_id, insight_id: insight.id }, keepalive: true });
    await queryClient.invalidateQueries({ queryKey: [{ tags: ['Saved'] }] });
  } catch (error) {
    if (!(error instanceof NimbusError) || error.status !== 404) toast(m.reports.notRemoved(insight.name));
  } finally {
    set(insight.id, false);
  }
}
