import { size } from '../tracker/core.js';

/** Most bytes that the server takes of an event's props. */
const maxBytes = 32_768;
/** What is left of each text of an event that is too large, in UTF-16 units. */
const maxText = 1000;

/**
 * Repairs the JSON of an event: a page sends titles and addresses of any length, and texts that were cut in the middle of
 * an emoji. U+0000 and lone surrogates, which the server cannot store, become U+FFFD.
 */
export function mend(json: string): string {
  const shorter = size(json) > maxBytes ? JSON.stringify(JSON.parse(json), (_, own: unknown) => (typeof own === 'string' ? own.slice(0, maxText) : own)) : json;
  // Both are always escaped in what JSON.stringify writes; a pair of surrogates never is. An escaped backslash is passed over.
  return shorter.replace(/\\(u0000|ud[89a-f]..|.)/g, (escape, what: string) => (what[1] ? '\\ufffd' : escape));
}
