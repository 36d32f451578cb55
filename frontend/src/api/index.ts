/** How the dashboard talks to the server. Nothing outside this folder touches `fetch`. */
export { queryClient, reloadProjects } from './cache';
export { serverTime } from './clock';
export { connection, isUnreachable, readiness, useAway } from './connection';
export { idempotencyKey, sentAgain, useWaitUntil } from './retries';
export { session, useAccount } from './session';
