/** The filters of the audit log, as they stand in the address. */
import { parseRange, type Range } from '../explore/range';

export interface AuditState extends Range {
  action?: string;
  /** The id of an account or a key. */
  actor?: string;
}

export function parseAudit(s: Record<string, unknown>): AuditState {
  const text = (x: unknown, shape: RegExp) => (typeof x === 'string' && shape.test(x) ? x : undefined);
  const state = { ...parseRange(s, '30d'), action: text(s['action'], /^[a-z_.]{1,64}$/), actor: text(s['actor'], /^[\w-]{1,64}$/) };
  return Object.fromEntries(Object.entries(state).filter(([, v]) => v !== undefined)) as AuditState;
}
