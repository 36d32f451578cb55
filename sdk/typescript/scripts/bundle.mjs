// Writes the browser's script, gen/tracker/sdk.js, which the server serves at /sdk.js. The same sources and the same
// versions of esbuild and rolldown give the same bytes.
import { build } from 'esbuild';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { minifySync } from 'rolldown/utils';

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

const { outputFiles } = await build({
  entryPoints: [at('../src/snippet.ts')],
  bundle: true,
  minify: true,
  mangleProps: new RegExp(`^(${own.join('|')})$`),
  format: 'iife',
  target: 'es2022',
  charset: 'ascii', // it may be served by anyone, with any charset
  legalComments: 'none',
  write: false,
  logLevel: 'error',
});

// esbuild alone shortens names of members; the second minifier joins and folds what the first leaves: 0.3 kB less, compressed.
const { code, errors } = minifySync('sdk.js', outputFiles[0].text, { module: false, compress: { target: 'es2022' }, mangle: { toplevel: true } });
if (errors.length > 0) throw new Error(errors[0].message);
writeFileSync(at('../../../gen/tracker/sdk.js'), code.endsWith('\n') ? code : `${code}\n`);
