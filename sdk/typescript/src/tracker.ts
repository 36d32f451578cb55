import { sign } from './sign.js';
import { fault } from './tracker/check.js';
import { createCore, type Credentials } from './tracker/core.js';
import type { CommonOptions, EventMap, Tracker } from './tracker/types.js';

/** How to make a tracker: where to send events, who sends them, and how. */
export interface TrackerOptions extends CommonOptions {
  /** The server, such as `https://nimbus.example.com`; a path before `/v1` is kept. */
  baseUrl: string;
  /** The project the key belongs to. */
  projectId: string;
  /** The id of the project's key pair, `nk_…`; with `secret`, every request is signed. On servers only. */
  keyId?: string | undefined;
  /** The secret of the pair, `ns_…`. Without `keyId` it is sent as it is, which only trusted networks should see. */
  secret?: string | undefined;
  /** A write key, `nw_…`: public, and all that a browser may have. */
  writeKey?: string | undefined;
  /** Ends the tracker like `close({ timeoutMs: 0 })`. */
  signal?: AbortSignal | undefined;
}

/**
 * Makes a tracker.
 *
 * ```ts
 * const tracker = createTracker({ baseUrl, projectId, keyId, secret });
 * tracker.track('signed_up', { plan: 'pro' }, { userId: 'user_123' });
 * await tracker.close();
 * ```
 *
 * Give the type of your events to have names and props checked: `createTracker<{ signed_up: { plan: string } }>(…)`.
 */
export function createTracker<Events extends { [Name in keyof Events]: object } = EventMap>(options: TrackerOptions): Tracker<Events> {
  const { baseUrl, secret, writeKey, signal } = options;
  if (!writeKey === !secret) {
    throw new TypeError('createTracker needs either a writeKey, or a secret (with a keyId, to sign)');
  }
  checkLimits(options);
  const core = createCore({ ...options, check: fault, url: `${baseUrl.replace(/\/+$/, '')}/v1/events`, credentials: credentialsOf(options) });
  const abort = (): void => void core.close({ timeoutMs: 0 });
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort);
  return core as Tracker<Events>;
}

/** What is not a number would be no limit, and less than this nothing could be sent: empty batches, for ever. */
const least = { maxBatchEvents: 1, maxBatchBytes: 1, maxQueueEvents: 1, maxAttempts: 1, flushIntervalMs: 0, retryBaseMs: 0, retryMaxMs: 0, requestTimeoutMs: 0, gzipAboveBytes: 0 };

function checkLimits(options: TrackerOptions): void {
  for (const [name, min] of Object.entries(least)) {
    const value = options[name as keyof typeof least] ?? min;
    if (!(value >= min)) throw new TypeError(`createTracker: ${name} is ${value}, and must be at least ${min}`);
  }
}

function credentialsOf({ keyId, secret = '', writeKey, clock }: TrackerOptions): Credentials {
  if (writeKey !== undefined) return { headers: () => ({ 'X-Write-Key': writeKey }) };
  if (keyId === undefined) return { headers: () => ({ 'X-API-Key': secret }) };
  const now = (): number => clock?.now() ?? Date.now();
  let ahead = 0; // the server's clock minus ours
  return {
    headers: async (path, body) => {
      const timestamp = Math.floor((now() + ahead) / 1000);
      return { 'X-Api-Key-Id': keyId, 'X-Api-Timestamp': `${timestamp}`, 'X-Api-Signature': await sign(secret, timestamp, 'POST', path, body) };
    },
    setClock: (date) => {
      const server = Date.parse(date ?? '');
      if (Number.isNaN(server)) return false;
      ahead = server - now();
      return true;
    },
  };
}
