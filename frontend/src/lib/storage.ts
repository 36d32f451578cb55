/**
 * localStorage that never throws. A browser may forbid it or have no room: what is kept then lasts as long as the page, and
 * logging in and choosing a theme work all the same.
 */
const memory = new Map<string, string>();

/** Whether something of before this page could have been kept. */
let lasting = true;
function attempt<T>(action: (storage: Storage) => T): T | undefined {
  try {
    return action(localStorage);
  } catch {
    lasting = false;
    return undefined;
  }
}

export const storage = {
  get: (key: string): string | null => memory.get(key) ?? attempt((s) => s.getItem(key)) ?? null,
  set: (key: string, value: string) => {
    memory.set(key, value);
    // What was kept is read from there again: another tab may change it.
    attempt((s) => {
      s.setItem(key, value);
      memory.delete(key);
    });
  },
  remove: (key: string) => {
    memory.delete(key);
    attempt((s) => s.removeItem(key));
  },
  isLasting: () => {
    attempt((s) => s.length);
    return lasting;
  },
};
