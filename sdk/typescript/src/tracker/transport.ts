import type { EventError } from '../gen/types.gen.js';
import type { CoreOptions } from './core.js';
import type { Clock } from './types.js';

/** What came of one attempt to send a batch. */
export interface Answer {
  /** 0 when there was none. */
  status: number;
  /** The JSON of it, if it is any. */
  body?: { accepted: number; duplicates: number; rejected: number; code?: string; detail?: string; errors?: EventError[] } | null;
  /** Whether it is a problem document, by its header. */
  problem?: boolean;
  /** How long the server asks to wait, in milliseconds. */
  wait: number;
  date?: string;
}

const maxRetryAfter = 600_000;

/** Sends a batch once and reads the answer; `breakOff` ends all that are under way. */
export function createTransport(o: CoreOptions, clock: Clock) {
  const { auth, requestTimeoutMs = 30_000, fetch: send = (...args) => fetch(...args), read = (response: Response) => response.text() } = o;
  const aborts = new Set<() => void>();
  /**
   * @param path what is signed: a proxy may take off what stands before it
   * @param items how many the body has, by which its answer is bounded
   */
  const request = async (path: string, body: string | Uint8Array<ArrayBuffer>, common: Record<string, string>, items: number): Promise<Answer> => {
    const control = new AbortController();
    const abort = (): void => control.abort();
    aborts.add(abort);
    const limit = clock.setTimeout(abort, requestTimeoutMs);
    const answer: Answer = { status: 0, wait: 0 };
    try {
      const own = auth.headers(path, body);
      const headers = { ...common, ...(own instanceof Promise ? await own : own) };
      if (o.page) headers['X-Sent-At'] = `${clock.now()}`;
      // A browser refuses to keep alive what is larger than 64 KiB, each time anew.
      const keepalive = !!o.page && new Blob([body]).size < 6e4;
      const response = await send(o.url + path, { method: 'POST', headers, body, signal: control.signal, keepalive, credentials: 'omit' });
      const header = (name: string): string => response.headers.get(name) ?? '';
      const after = header('Retry-After');
      const date = (answer.date = header('Date'));
      answer.status = response.status;
      answer.problem = header('Content-Type').includes('problem+json');
      // In seconds, or a time of the server's clock.
      const wait = /^\d+$/.test(after) ? +after * 1000 : Date.parse(after) - (Date.parse(date) || clock.now());
      answer.wait = Math.min(wait > 0 ? wait : 0, maxRetryAfter);
      answer.body = JSON.parse(await read(response, 65_536 + items * 1024, abort)) as Answer['body'];
    } catch (error) {
      // There was no answer, or it is a proxy's page.
      if (!answer.status) answer.body = { detail: String(error) } as Answer['body'];
    }
    clock.clearTimeout(limit);
    aborts.delete(abort);
    return answer;
  };
  return { request, breakOff: () => aborts.forEach((abort) => abort()) };
}
