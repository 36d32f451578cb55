/** What is checked of an event before it is taken. */
interface Checked {
  name: unknown;
  ts: string;
  user_id: unknown;
  anonymous_id: unknown;
  idempotency_key: unknown;
  seq: unknown;
  props: unknown;
}

const year1971 = 31_536_000_000;
const maxLevels = 8;
const maxBytes = 32_768;

/**
 * Says why the server would surely refuse the event, if it would: the one who wrote the call should learn it, and a
 * request that only earns a refusal should not be made. The server's own check, which is finer, has the last word.
 */
export function fault({ name, ts, props = {}, seq = 0, ...ids }: Checked, size: (text: string) => number): string | undefined {
  // eslint-disable-next-line typescript/no-misused-spread -- code points are what the server counts
  const bad = (id: unknown): boolean => typeof id !== 'string' || !id || [...id].length > 200 || id.includes('\0');
  // eslint-disable-next-line no-control-regex -- these are what a name must not have
  if (bad(name) || /[\0-\x1f\x7f-\x9f]/.test(name as string)) return 'name: 1 to 200 characters, no control characters';
  // How far ahead is too far is told by the server's clock, not by ours.
  if (!(Date.parse(ts) >= year1971)) return 'ts: a time from 1971 on';
  if (!(Number.isSafeInteger(seq) && (seq as number) >= 0)) return 'seq: a whole number from 0';
  if (typeof props !== 'object' || !props || Array.isArray(props) || odd(props, 1) || size(JSON.stringify(props)) > maxBytes) {
    return `props: an object of at most 32 KiB and ${maxLevels} levels, without U+0000`;
  }
  for (const [member, id] of Object.entries(ids)) if (id !== undefined && bad(id)) return `${member}: 1 to 200 characters, no U+0000`;
  return undefined;
}

/** Whether a value is too deep, or has a character that PostgreSQL cannot store. */
function odd(value: unknown, level: number): boolean {
  if (typeof value === 'string') return value.includes('\0');
  return typeof value === 'object' && value !== null && (level > maxLevels || Object.entries(value).some(([key, own]) => odd(key, 0) || odd(own, level + 1)));
}
