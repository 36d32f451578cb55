/** What stands in an address and is not in the state that was read from it. */

/** What a parser leaves out because the page does so anyway: not having it in the address means the same. */
const usual: Record<string, unknown> = { kind: 'trends', measure: 'count', chart: 'line', top: 10, compare: false, edit: false };

/** What every page has: when the address says it wrong, the state has another value. */
const always = new Set(['range', 'tz']);

/** What links of before, and those that name a question as it is asked, say in other words than the state. */
const others: Record<string, string> = { names: 'series', measure: 'series', prop: 'series', question: 'from' };

/** The names of the parts of an address that the page does not understand, such as a date where an instant is expected. */
export function misread(address: Record<string, unknown>, understood: Record<string, unknown>): string[] {
  return Object.keys(address).filter((key) => {
    if (address[key] === undefined || usual[key] === address[key]) return false;
    if (always.has(key)) return understood[key] !== address[key] && !(key === 'range' && understood['from'] !== undefined); // two instants say more than a range
    const other = key === 'by' && address[key] === 'name' ? 'series' : others[key];
    return understood[key] === undefined && (other === undefined || understood[other] === undefined);
  });
}

/** The parts of the link with which the dashboard was opened: the router soon puts the address right, and they are gone. */
export const opened: { path: string; parts: string[] } = { path: '', parts: [] };
