/** Asks what a page will ask, while the page itself is loading. */
import { queryClient } from '../api';
import { weekOf } from '../query/question';
import { insightOptions } from './ask';
import { beforeOf } from './against';
import { bodyOf, isComplete } from './body';
import type { InsightState } from './state';

export function ask(projectId: string, search: Record<string, unknown>) {
  const state = search as unknown as InsightState;
  const [now, week] = [Date.now(), weekOf(projectId)];
  if (!isComplete(state)) return;
  const body = bodyOf(state, now, week);
  void queryClient.prefetchQuery(insightOptions(projectId, body, beforeOf(state, body, now, week)));
}
