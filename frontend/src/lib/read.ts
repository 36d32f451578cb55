/** Reads what an address says, or what was kept: each returns undefined where it is something else, never an error. */
export type Fields = Record<string, unknown>;

export const isObject = (x: unknown): x is Fields => typeof x === 'object' && x !== null && !Array.isArray(x);
export const text = (x: unknown, most = 200) => (typeof x === 'string' && x !== '' && x.length <= most ? x : undefined);
/** A text, also where a number is in the address: somebody typed it as digits. */
export const typed = (x: unknown, most: number) => (typeof x === 'number' ? String(x) : text(x, most));
/** A whole number of a span; the usual one is left out. */
export const whole = (x: unknown, least: number, most: number, usually?: number) => (Number.isInteger(x) && (x as number) >= least && (x as number) <= most && x !== usually ? (x as number) : undefined);
export const instant = (x: unknown) => (typeof x === 'string' && !Number.isNaN(Date.parse(x)) ? x : undefined);

/** One of these values. */
export const one = <T extends string>(values: readonly T[], x: unknown) => values.find((v) => v === x);
/** The items of a list that can be read, at most so many. */
export const list = <T>(x: unknown, read: (item: unknown) => T | undefined, most: number): T[] => (Array.isArray(x) ? x.slice(0, most).map(read).filter((item) => item !== undefined) : []);
export const some = <T>(items: T[]) => (items.length > 0 ? items : undefined);

/** Without what is undefined. */
export function clean<T extends object>(state: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(state).filter(([, v]) => v !== undefined)) as T;
}
