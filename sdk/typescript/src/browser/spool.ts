import { randomId, type Spool } from '../tracker/core.js';

/** Most characters that all waiting events of a project take, for the site needs the storage too; a tab writes so much more before it counts again. */
const limit = 450_000;
const slack = 50_000;

/** The waiting events in the browser's storage, each in an entry of its own, so that tabs never overwrite one another's. */
export interface PageSpool extends Spool {
  /** The names of what waits. */
  all: () => string[];
}

/**
 * Makes the spool of a page.
 *
 * @param use calls with the storage, if there is one, and does not throw
 * @param prefix begins the name of each entry
 */
export function createSpool(use: <T>(run: (storage: Storage) => T) => T | undefined, prefix: string): PageSpool {
  const all = (): string[] => use((s) => Object.keys(s).filter((name) => name.startsWith(prefix))) ?? [];
  const remove = (name: string): void => use((s) => s.removeItem(name));
  let at = 0;
  let left = 0; // what may be written before all is counted again: other tabs write too
  return {
    all,
    remove,
    add: (json) => {
      at = Math.max(at + 1, Date.now());
      const name = `${prefix}${at.toString(36)}${randomId()}`; // sorted by age, within a millisecond too
      const written = use((s) => {
        s.setItem(name, json);
        return true;
      });
      left -= json.length;
      if (!written || left < 0) {
        left = slack;
        // What is full goes back to the site, and all of ours waits in the page's memory.
        let room = written ? limit : 0;
        // The newest first; toReversed is not in every browser yet.
        // eslint-disable-next-line unicorn/no-array-reverse -- see above
        for (const own of all().sort().reverse()) {
          room -= use((s) => s.getItem(own)?.length) ?? 0;
          if (room < 0) remove(own);
        }
      }
      return name;
    },
  };
}
