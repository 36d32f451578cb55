/**
 * Nimbus for TypeScript: the tracker, and the client of the API. Everything under `gen` is generated from the contract;
 * the rest is written by hand.
 *
 * @packageDocumentation
 */
export * from './gen/index.js';
export type { Client, Config } from './gen/client/index.js';
export { createClient } from './client/client.js';
export { NimbusError } from './client/error.js';
export { items, pages, received } from './client/pages.js';
export { live, type LiveItem, type LiveOptions } from './client/live.js';
export { client, createSession, memoryStore, webStore, type ClientSession, type SessionOptions, type TokenStore } from './client/session.js';
export { sign, signRequests, type SigningOptions } from './sign.js';
export { createTracker, type TrackerOptions } from './tracker.js';
export { TrackError } from './tracker/types.js';
export type { Calls, Clock, CommonOptions, DropReason, EventMap, Kept, Logger, OperationOptions, Queue, Store, Tracker, TrackerStats, TrackOptions, Visitor, VisitorOptions } from './tracker/types.js';
