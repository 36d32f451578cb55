/** How people are called: by name or address where a profile has one, else by id. */
import { date, number } from '../format';
import { idOf, isVisitor } from './id';
import { p } from './messages';

type Props = Record<string, unknown>;

// The spellings of other vendors' SDKs too: the server searches the same.
const names = { name: ['name', '$name'], first: ['first_name', 'firstName', '$first_name'], last: ['last_name', 'lastName', '$last_name'], email: ['email', '$email'] };
export const nameProps = new Set(Object.values(names).flat());

const text = (props: Props, of: readonly string[]) => of.map((name) => props[name]).find((v): v is string => typeof v === 'string' && v.trim() !== '');
export const emailOf = (props: Props) => text(props, names.email);
export const nameOf = (props: Props) => text(props, names.name) ?? ([text(props, names.first), text(props, names.last)].filter(Boolean).join(' ') || undefined);

export const titleOf = (person: string, props: Props) => nameOf(props) ?? emailOf(props) ?? (isVisitor(person) ? p.visitor(idOf(person)) : person);

/** A value of a profile in one line. */
export function valueOf(value: unknown, zone: string): string {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'number') return number(value);
  if (typeof value === 'boolean') return value ? p.yes : p.no;
  if (Array.isArray(value)) return value.map((v) => valueOf(v, zone)).join(', ');
  if (typeof value !== 'string') return JSON.stringify(value);
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(value) ? date(value, zone) : value;
}
