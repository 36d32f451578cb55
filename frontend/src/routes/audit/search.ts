/** The state of the audit log in the address. */
import { parseRange, type Range } from '../../query/range';

export interface AuditState extends Range {
  action?: string;
  /** The id of an account or a key. */
  actor?: string;
  /** The open entry, and its time: that finds it on any page of the log. */
  entry?: string;
  at?: string;
}

export function parseAudit(s: Record<string, unknown>): AuditState {
  const text = (x: unknown, shape: RegExp) => (typeof x === 'string' && shape.test(x) ? x : undefined);
  const entry = text(s['entry'], /^[\da-f-]{36}$/);
  const at = text(s['at'], /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/);
  const state = {
    ...parseRange(s, '30d'),
    action: text(s['action'], /^[a-z_.]{1,64}$/),
    actor: text(s['actor'], /^[\w-]{1,64}$/),
    ...(entry && at && !Number.isNaN(Date.parse(at)) && { entry, at }),
  };
  return Object.fromEntries(Object.entries(state).filter(([, v]) => v !== undefined)) as AuditState;
}

/** The time of an entry. Stored times have microseconds, and Date only milliseconds. */
export const instantOf = (at: string) => ({ since: at, until: new Date(Date.parse(at) + 1).toISOString() });
