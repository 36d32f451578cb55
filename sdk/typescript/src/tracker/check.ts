import type { Event, ProfileOperation } from '../gen/types.gen.js';
import { personOf } from './ids.js';
import type { Kept } from './types.js';

const year1971 = 31_536_000_000;
const maxLevels = 8;
const maxBytes = 32_768;
const rfc3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/**
 * Says why the server would surely refuse an event or a change of a profile, if it would: the one who wrote the call should
 * learn it, and a request that only earns a refusal should not be made. The server's own check, which is finer, has the last word.
 *
 * @param kept what its JSON says
 * @param size the bytes of a text
 */
export function fault(kept: Partial<Kept>, size: (text: string) => number): string | undefined {
  const { ts = '', props = {}, user_id, anonymous_id, idempotency_key } = kept;
  const own = 'op' in kept ? ofOperation(kept) : ofEvent(kept);
  if (own) return own;
  // How far ahead is too far is told by the server's clock, not by ours. Of a leap second Date.parse knows nothing.
  if (!rfc3339.test(ts) || !(Date.parse(ts.toUpperCase().replace(':60', ':59')) >= year1971)) return 'ts: RFC 3339 with a zone, from 1971 on';
  if (typeof props !== 'object' || !props || Array.isArray(props) || odd(props, 1) || size(JSON.stringify(props)) > maxBytes) {
    return `props: an object of at most 32 KiB and ${maxLevels} levels, without U+0000 and lone surrogates`;
  }
  for (const [member, id] of Object.entries({ user_id, anonymous_id, idempotency_key })) {
    if (id !== undefined && bad(id)) return `${member}: 1 to 200 characters, no U+0000 and no lone surrogate`;
  }
  return undefined;
}

function ofEvent({ name, seq = 0 }: Partial<Event>): string | undefined {
  // eslint-disable-next-line no-control-regex -- these are what a name must not have
  if (bad(name) || /[\0-\x1f\x7f-\x9f]/.test(name as string)) return 'name: 1 to 200 characters, no control characters';
  if (!(Number.isSafeInteger(seq) && seq >= 0)) return 'seq: a whole number from 0';
  return undefined;
}

const maxType = 64;
const maxNames = 100;

function ofOperation({ op, user_id, anonymous_id, group, props, names }: Partial<ProfileOperation>): string | undefined {
  const ids = [user_id, anonymous_id].filter((id) => id !== undefined);
  if (group ? ids.length : !ids.some((id) => personOf(id))) return 'user_id: a change is of a person, by an id that is no word for nobody, or else of a group';
  if (group && (bad(group.type, maxType) || bad(group.key) || !personOf(group.type) || !personOf(group.key))) {
    return `group: a type of 1 to ${maxType} characters and a key of 1 to 200, no words for nothing`;
  }
  if (op !== 'unset' && op !== 'delete' && !props) return 'props: an object';
  if (op === 'unset' && !(Array.isArray(names) && names.length && names.length <= maxNames && !names.some((name) => bad(name)))) {
    return `names: 1 to ${maxNames} of 1 to 200 characters`;
  }
  if (op === 'add' && !Object.values(props ?? {}).every((value) => typeof value === 'number')) return 'props: numbers';
  return undefined;
}

/** What PostgreSQL cannot store: U+0000, and half of a pair of surrogates. */
const unstorable = /\0|\p{Surrogate}/u;

/** Whether it is no name and no id. Code points are what the server counts. */
// eslint-disable-next-line typescript/no-misused-spread -- see above
const bad = (id: unknown, most = 200): boolean => typeof id !== 'string' || !id || [...id].length > most || unstorable.test(id);

/** Whether a value is too deep, or has a character that cannot be stored. */
function odd(value: unknown, level: number): boolean {
  if (typeof value === 'string') return unstorable.test(value);
  return typeof value === 'object' && value !== null && (level > maxLevels || Object.entries(value).some(([key, own]) => odd(key, 0) || odd(own, level + 1)));
}
