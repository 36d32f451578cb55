/** The state of a saved question about behaviour: what the page shows of it, in its own range. */
import type { SavedQuestion } from '@nimbus-analytics/sdk';
import { stateOf } from '../query/report';
import { kinds, parseInsight, type InsightState } from './state';

/** The state of an address. A link may name a question as it is asked instead, and the number of it whose people are shown. */
export function stateOfAddress(s: Record<string, unknown>): InsightState {
  const question = s['question'] as SavedQuestion | undefined;
  if (typeof question !== 'object' || question === null) return parseInsight(s);
  const state = question.kind === 'metrics' ? stateOf({ question, view: {} }) : stateOfSaved(question);
  return parseInsight({ ...state, at: s['at'] });
}

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
