/** The server's clock. It decides which buckets are over, and a device's clock may be wrong. */

// How far the server's clock is ahead of the device's, in milliseconds.
let ahead = 0;

/** Reads the clock off an answer. The Date header has whole seconds, so a difference of less than two is none. */
export function readClock(response: Response) {
  const told = Date.parse(response.headers.get('Date') ?? '');
  if (!Number.isNaN(told)) ahead = Math.abs(told - Date.now()) < 2000 ? 0 : told - Date.now();
}

/** An instant of the device as the server's clock has it, in milliseconds. */
export const serverTime = (at: number) => at + ahead;
