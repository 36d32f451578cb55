/**
 * Client for the Nimbus API. Everything under `gen` is generated from the contract; signing is written by hand.
 *
 * @packageDocumentation
 */
export { client } from './gen/client.gen.js';
export { createClient, createConfig, type Client, type Config } from './gen/client/index.js';
export * from './gen/index.js';
export { sign, signRequests, type SigningOptions } from './sign.js';
