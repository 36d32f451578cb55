/** What a chart draws. */
export interface Series {
  key: string;
  label: string;
  color: number | 'other';
  total: number | null;
  values: readonly (number | null)[];
  /** The period before, bucket by bucket: drawn pale behind. */
  before?: { times: readonly string[]; values: readonly (number | null)[] };
  /** Two totals of equally long parts of the periods, for the change in percent. */
  compared?: { now: number | null; before: number | null };
}

export const colorOf = (s: Pick<Series, 'color'>) => (s.color === 'other' ? 'var(--series-other)' : `var(--series-${s.color % 8})`);

/** The values of buckets, given their starts: one in the future has no value yet, not zero. */
export function untilNow<V>(starts: readonly string[], values: readonly V[], incompleteFrom: string | undefined): (V | null)[] {
  const ahead = incompleteFrom === undefined ? -1 : starts.findIndex((start) => Date.parse(start) > Date.parse(incompleteFrom));
  return values.map((v, i) => (ahead >= 0 && i >= ahead ? null : v));
}
