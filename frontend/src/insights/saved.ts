/** The state of a saved question about behaviour: what the page shows of it, in its own range. */
import type { SavedQuestion } from '@nimbus-analytics/sdk';
import { kinds, parseInsight, type InsightState } from './state';

/** Undefined for a kind that the page does not ask. */
export function stateOfSaved(question: SavedQuestion): InsightState | undefined {
  const q: Record<string, unknown> = { ...question };
  if (question.kind === 'metrics' || !(kinds as readonly string[]).includes(question.kind)) return undefined;
  const breakdown = 'breakdown' in question ? (question.breakdown as { prop?: string; top?: number; attribution?: string; step?: number } | undefined) : undefined;
  const people = question.people?.op === 'in' ? question.people.cohort : undefined;
  return parseInsight({
    ...q,
    window: q['window_seconds'],
    node: q['node_prop'],
    repeats: q['collapse'] === false,
    starts: q['cohort'],
    cohort: people,
    by: breakdown?.prop === undefined ? undefined : `prop:${breakdown.prop}`,
    top: breakdown ? breakdown.top : q['top'],
    of: breakdown?.attribution === 'step' ? breakdown.step : breakdown?.attribution,
    view: 'histogram' in question && question.histogram ? 'time' : question.kind === 'funnel' && question.bucket ? 'series' : undefined,
  });
}
