import type { Client } from '../gen/client/index.js';
import { createLiveTicket } from '../gen/sdk.gen.js';
import type { LiveFrame, LiveMissed, StoredEvent } from '../gen/types.gen.js';
import { NimbusError } from './error.js';

/** What a stream says: an event that was stored, or that some were left out. */
export type LiveItem = { type: 'event'; event: StoredEvent; cursor: string } | ({ type: 'missed' } & LiveMissed);

/** What to watch, and how. */
export interface LiveOptions {
  /** A client that is logged in; `createSession` makes one. */
  client: Client;
  projectId: string;
  /** Only events of these names. */
  names?: string[] | undefined;
  /** Goes on behind this frame, instead of from now on. */
  cursor?: string | undefined;
  /** Ends the stream, without an error. */
  signal?: AbortSignal | undefined;
  /** Told whether the stream is connected; for a light beside it. */
  onState?: ((state: 'connecting' | 'open' | 'waiting') => void) | undefined;
  /** The longest wait before the first new attempt, in milliseconds; it doubles with each, up to 30 s, and ends when the browser is online again or the page is looked at. Default 500. */
  retryBaseMs?: number | undefined;
  /** Most frames that wait for the reader; the rest is then fetched again by cursor. Default 10000. */
  maxWaiting?: number | undefined;
  /** Instead of the global `WebSocket`, which Node has from version 22 on. */
  WebSocket?: typeof WebSocket | undefined;
}

/**
 * The events of a project as they are stored, from now on:
 *
 * ```ts
 * for await (const item of live({ client, projectId, signal })) {
 *   if (item.type === 'event') console.log(item.event.name);
 *   else console.warn('left out:', item.count, 'since', item.since);
 * }
 * ```
 *
 * It connects again by itself and goes on where it was: nothing comes twice, and what was left out is said. It ends when
 * `signal` does or the loop is left, and throws a `NimbusError` when the session has ended (401) or the project is not
 * there (404). Each connection takes a ticket through the client, so that an expired access token is refreshed.
 */
export async function* live(options: LiveOptions): AsyncGenerator<LiveItem, void, void> {
  const { client, projectId, signal, onState, retryBaseMs = 500, WebSocket: Socket = globalThis.WebSocket } = options;
  let { cursor } = options;
  if (typeof Socket !== 'function') throw new TypeError('this platform has no WebSocket: pass one, such as that of the package ws');
  for (let failures = 0; !signal?.aborted; failures++) {
    onState?.('connecting');
    let retryAfter = 0;
    try {
      const { data } = await createLiveTicket({ client, path: { project_id: projectId }, ...(signal && { signal }) });
      for await (const frame of frames(options, data.ticket, cursor)) {
        if (signal?.aborted) return;
        if (frame.type === 'hello') onState?.('open');
        failures = 0;
        if (frame.type === 'end' && frame.code !== 1001) {
          const status = frame.code === 4401 ? 401 : 404;
          throw new NimbusError({ status, code: status === 401 ? 'unauthenticated' : 'not_found', title: 'The stream has ended', detail: frame.reason });
        }
        if (frame.type === 'event') yield frame;
        else if (frame.type === 'missed') yield frame;
        // Only what the reader has taken is behind it.
        cursor = frame.cursor;
      }
    } catch (error) {
      if (signal?.aborted) return;
      const status = error instanceof NimbusError ? error.status : 0;
      if (status >= 400 && status < 500 && status !== 408 && status !== 429) throw error;
      retryAfter = error instanceof NimbusError ? (error.retryAfter ?? 0) : 0;
    }
    onState?.('waiting');
    // What the server asks for is kept to; of the rest, as much as there is a reason for.
    await pause(retryAfter * 1000, signal);
    await pause(Math.random() * Math.min(30_000, retryBaseMs * 2 ** failures) - retryAfter * 1000, signal, true);
  }
}

/** The frames of one connection, until it is closed, by whom and for what ever. */
async function* frames(options: LiveOptions, ticket: string, cursor: string | undefined): AsyncGenerator<LiveFrame, void, void> {
  const { client, projectId, names = [], signal, maxWaiting = 10_000, WebSocket: Socket = globalThis.WebSocket } = options;
  const url = new URL(`${client.getConfig().baseUrl ?? ''}/v1/projects/${projectId}/live`, (globalThis as { location?: Location }).location?.href);
  url.protocol = url.protocol.replace('http', 'ws');
  url.searchParams.set('ticket', ticket);
  for (const name of names) url.searchParams.append('name', name);
  if (cursor !== undefined) url.searchParams.set('cursor', cursor);

  const socket = new Socket(url);
  const waiting: LiveFrame[] = [];
  let over = false;
  let full = false;
  let wake: () => void = () => undefined;
  socket.addEventListener('message', ({ data }) => {
    // A reader that is this slow is better off with what the server says it has missed. What a socket still delivers while
    // it closes is behind the gap.
    full ||= waiting.length >= maxWaiting;
    if (full) socket.close();
    else waiting.push(JSON.parse(String(data)) as LiveFrame);
    wake();
  });
  const end = (): void => {
    over = true;
    wake();
  };
  const hangUp = (): void => socket.close();
  socket.addEventListener('close', end);
  socket.addEventListener('error', end);
  signal?.addEventListener('abort', hangUp);
  try {
    for (;;) {
      const frame = waiting.shift();
      if (frame) yield frame;
      else if (over) return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    signal?.removeEventListener('abort', hangUp);
    socket.close();
  }
}

/** What a browser has and other platforms lack. */
const page = globalThis as {
  addEventListener?: (type: string, listener: () => void) => void;
  removeEventListener?: (type: string, listener: () => void) => void;
  document?: EventTarget & { visibilityState: string };
};

/** Waits; if so wished, only until there is reason to believe that an attempt is worth it. */
async function pause(ms: number, signal: AbortSignal | undefined, hopeful = false): Promise<void> {
  if (ms <= 0 || signal?.aborted) return;
  await new Promise<void>((resolve) => {
    const look = (): void => {
      if (page.document?.visibilityState === 'visible') over();
    };
    const over = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', over);
      page.removeEventListener?.('online', over);
      page.document?.removeEventListener('visibilitychange', look);
      resolve();
    };
    const timer = setTimeout(over, ms);
    signal?.addEventListener('abort', over);
    if (!hopeful) return;
    page.addEventListener?.('online', over);
    page.document?.addEventListener('visibilitychange', look);
  });
}
