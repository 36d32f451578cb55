// Writes the browser's script, gen/tracker/sdk.js, which the server serves at /sdk.js. The same sources and the same
// esbuild give the same bytes.
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';

/**
 * The names of members that only the script itself writes and reads, which may be shorter in it. Not those of the page
 * (`track`, `userId`), of the answers (`accepted`), of what is sent (`names`) or of the browser (`random`, `credentials`).
 */
const own = [
  'baseUrl|projectId|pageViews|cookieless|hashRouting|respectPrivacySignals|sessionTimeoutMs',
  'max(Batch|Queue)(Events|Bytes)|maxAttempts|flushIntervalMs|retry(Base|Max)Ms|requestTimeoutMs|gzipAboveBytes|on(Full|Reject|Drop)',
  'auth|setClock|spool|remove|mend|context|adopt|hurry|wake|discard|nth|json|bytes|problem|logger',
  'operate|registered|allowed|beforeSend|request|breakOff',
];

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

await build({
  entryPoints: [at('../src/snippet.ts')],
  outfile: at('../../../gen/tracker/sdk.js'),
  bundle: true,
  minify: true,
  mangleProps: new RegExp(`^(${own.join('|')})$`),
  format: 'iife',
  target: 'es2022',
  charset: 'ascii', // it may be served by anyone, with any charset
  legalComments: 'none',
  logLevel: 'error',
});
