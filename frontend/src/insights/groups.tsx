/** All people, or one group of a breakdown, where an answer is drawn for one of them at a time. */
import type { Coordinate, GroupValue } from '@nimbus-analytics/sdk';
import { useState } from 'react';
import { number } from '../format';
import { Choice } from '../ui/Picker';
import { w } from './messages';
import { valueText } from './text';

export interface Part<A> {
  key: string;
  label: string;
  /** What names the group where people are asked for. */
  at: Coordinate;
  of: A;
}

type Grouped<A> = A & { groups?: (A & { value: GroupValue; cohort?: string })[]; other?: (A & { values: number }) | null };

export const coordinateOf = (value: GroupValue): Coordinate => (value === null ? { no_value: true } : { group: value });

/** The whole, each group, and the rest. */
export const partsOf = <A,>(answer: Grouped<A>): Part<A>[] => [
  { key: 'all', label: w.total, at: {}, of: answer },
  ...(answer.groups ?? []).map((g, i): Part<A> => ({ key: String(i), label: g.cohort ?? valueText(g.value), at: coordinateOf(g.value), of: g })),
  ...(answer.other ? [{ key: 'other', label: w.other(answer.other.values, number(answer.other.values)), at: { other: true }, of: answer.other }] : []),
];

/** Of which group a coordinate is; undefined of the whole. */
export const groupOf = (at: Coordinate): string | undefined =>
  at.group !== undefined ? valueText(at.group as GroupValue) : at.no_value ? w.absent : at.other && at.node === undefined ? w.rest : undefined;

/** The part that is drawn, and the words with which it is chosen; nothing without a breakdown. */
export function usePart<A>(parts: readonly Part<A>[], label = w.shown) {
  const [chosen, setChosen] = useState('all');
  const part = parts.find((p) => p.key === chosen) ?? parts[0]!;
  return [part, parts.length > 1 && <div className="sentence">{label}<Choice label={w.group} value={part.key} options={parts.map((p) => [p.key, p.label])} onChange={setChosen} /></div>] as const;
}
