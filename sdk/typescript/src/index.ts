/**
 * Client for the Nimbus API. Everything under `gen` is generated from the contract; the rest is written by hand.
 *
 * @packageDocumentation
 */
export * from './gen/index.js';
export type { Client, Config } from './gen/client/index.js';
export { createClient } from './client/client.js';
export { NimbusError } from './client/error.js';
export { items, pages } from './client/pages.js';
export { client, createSession, memoryStore, webStore, type ClientSession, type SessionOptions, type TokenStore } from './client/session.js';
export { sign, signRequests, type SigningOptions } from './sign.js';
