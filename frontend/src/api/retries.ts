/** What is sent again without asking, when, and what makes that safe. */
import { NimbusError } from '@nimbus-analytics/sdk';
import { useSyncExternalStore } from 'react';
import { signal } from '../lib/signal';
import { isUnreachable } from './connection';

const longestWait = 30; // seconds; whether to wait longer is for the reader to decide

// Until when the server asked to wait (429). The banner counts down to it.
let waitUntil = 0;
const { watch, notify } = signal();
export const useWaitUntil = () => useSyncExternalStore(watch, () => waitUntil);

/** A rate limit that is over soon: nothing was done, so sending again is safe. Too many wrong passwords are not retried. */
const isRateLimit = (error: unknown) => error instanceof NimbusError && error.status === 429 && error.code !== 'too_many_attempts' && (error.retryAfter ?? Infinity) <= longestWait;

/** Milliseconds until the next attempt; after a rate limit, the banner shows them. */
export function retryDelay(_: number, error: unknown): number {
  const ms = 1000 * (error instanceof NimbusError ? (error.retryAfter ?? 0.5) : 0.5);
  if (isRateLimit(error)) {
    waitUntil = Math.max(waitUntil, Date.now() + ms);
    notify();
  }
  return ms;
}

/** A question changes nothing, so it may be asked again after a lost answer too. */
export const retryQuery = (failed: number, error: unknown) => (isRateLimit(error) && failed < 3) || (isUnreachable(error) && failed < 1);

/** A change whose answer was lost may have been made: only a rate limit says that it was not. */
export const retryChange = (failed: number, error: unknown) => isRateLimit(error) && failed < 2;

/** For operations that take an Idempotency-Key: they are sent again after a lost answer, and done once. */
export const sentAgain = { retry: (failed: number, error: unknown) => (isRateLimit(error) || isUnreachable(error)) && failed < 2 };

export function idempotencyKey() {
  // Not randomUUID: browsers have it on secure pages only, and a Nimbus in an office network may not be one.
  return { 'Idempotency-Key': Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('') };
}
