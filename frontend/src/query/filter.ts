/** The tree of conditions: parsing it from the address, changing a node, and reading and writing values. */
import type { MetricsFilter } from '@nimbus-analytics/sdk';
import { m } from '../messages';

export const operators = ['eq', 'neq', 'in', 'contains', 'starts_with', 'gt', 'gte', 'lt', 'lte', 'exists'] as const;
export type Operator = (typeof operators)[number];
export type Group = Extract<MetricsFilter, { op: 'and' | 'or' }>;
export type Condition = Exclude<MetricsFilter, { op: 'and' | 'or' } | { op: 'not' }>;
type Scalar = string | number | boolean;

const maxDepth = 8;
const maxNodes = 50;
const numeric = new Set<Operator>(['gt', 'gte', 'lt', 'lte']);
/** Of those the value is text as it was typed: 5 is no number. */
export const isText = (op: Operator): op is 'contains' | 'starts_with' => op === 'contains' || op === 'starts_with';

/** Parses a tree of conditions; undefined for what the server would refuse. */
export function parseFilter(x: unknown): MetricsFilter | undefined {
  let nodes = 0;
  const isScalar = (v: unknown) => typeof v === 'string' || typeof v === 'number' || typeof v === 'boolean';
  const good = (node: unknown, depth: number): boolean => {
    if (typeof node !== 'object' || node === null || depth > maxDepth || ++nodes > maxNodes) return false;
    const n = node as Record<string, unknown>;
    const isProp = typeof n['prop'] === 'string' && n['prop'] !== '' && n['prop'].length <= 200;
    switch (n['op']) {
      case 'and':
      case 'or':
        return Array.isArray(n['filters']) && n['filters'].length > 0 && n['filters'].length <= 20 && n['filters'].every((f) => good(f, depth + 1));
      case 'not':
        return good(n['filter'], depth + 1);
      case 'eq':
      case 'neq':
        return isProp && isScalar(n['value']);
      case 'in':
        return isProp && Array.isArray(n['values']) && n['values'].length > 0 && n['values'].length <= 100 && n['values'].every(isScalar);
      case 'contains':
      case 'starts_with':
        return isProp && typeof n['value'] === 'string' && n['value'] !== '';
      case 'gt':
      case 'gte':
      case 'lt':
      case 'lte':
        return isProp && typeof n['value'] === 'number' && Number.isFinite(n['value']);
      case 'exists':
        return isProp;
      default:
        return false;
    }
  };
  return good(x, 1) ? (x as MetricsFilter) : undefined;
}

/** Parses a typed value: 5 is a number and true a boolean; "5" and 02134 are strings. */
export function readScalar(text: string): Scalar {
  const t = text.trim();
  if (/^"[^]*"$/.test(t)) return t.slice(1, -1).replaceAll('""', '"');
  if (t === 'true' || t === 'false') return t === 'true';
  return /^-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?$/i.test(t) ? Number(t) : t;
}

const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;

/** The inverse: a value as it would be typed. */
export const writeScalar = (value: unknown): string => (typeof value === 'string' && (value === '' || readScalar(value) !== value) ? quoted(value) : String(value));

/** Parses values separated by commas; a value that contains a comma or a quotation mark is quoted. */
const readList = (text: string): Scalar[] => (text.match(/\s*"(?:[^"]|"")*"\s*(?=,|$)|[^,]+/g) ?? []).filter((t) => t.trim() !== '').map(readScalar);
const writeList = (values: readonly unknown[]): string => values.map((v) => (typeof v === 'string' && /[,"]/.test(v) ? quoted(v) : writeScalar(v))).join(', ');

export const valueText = (c: Condition): string => (c.op === 'exists' ? '' : c.op === 'in' ? writeList(c.values) : isText(c.op) ? String(c.value) : writeScalar(c.value));

/** A tree of conditions in words, such as “plan is pro and not (device is mobile or device is tablet)”. */
export function filterText(f: MetricsFilter, inner = false): string {
  if (f.op === 'not') return `${m.explore.not} ${filterText(f.filter, true)}`;
  if (f.op === 'and' || f.op === 'or') {
    const text = f.filters.map((child) => filterText(child, true)).join(` ${m.explore.joins[f.op]} `);
    return inner && f.filters.length > 1 ? `(${text})` : text;
  }
  const c = f as Condition;
  return [c.prop, m.explore.ops[c.op], valueText(c)].filter(Boolean).join(' ');
}

/** Builds a condition from the editor's fields; undefined while a field is incomplete. */
export function condition(prop: string, op: Operator, text: string): Condition | undefined {
  if (prop === '') return undefined;
  if (op === 'exists') return { op, prop };
  if (text.trim() === '') return undefined;
  if (op === 'in') {
    const values = readList(text);
    return values.length > 0 ? ({ op, prop, values } as Condition) : undefined;
  }
  if (isText(op)) return { op, prop, value: text };
  if (numeric.has(op)) {
    const value = Number(text);
    return Number.isFinite(value) ? ({ op, prop, value } as Condition) : undefined;
  }
  return { op, prop, value: readScalar(text) } as Condition;
}

export const isNumeric = (op: Operator) => numeric.has(op);

/** A group without one child; undefined when that was the last one. */
export function without(group: Group, index: number): Group | undefined {
  const filters = group.filters.filter((_, i) => i !== index);
  return filters.length > 0 ? { ...group, filters } : undefined;
}

export const replaced = (group: Group, index: number, child: MetricsFilter): Group => ({ ...group, filters: group.filters.map((f, i) => (i === index ? child : f)) });

/** The root for the editor, which always shows a group. */
export const asGroup = (filter: MetricsFilter | undefined): Group | undefined => (filter === undefined || filter.op === 'and' || filter.op === 'or' ? (filter as Group | undefined) : { op: 'and', filters: [filter] });
