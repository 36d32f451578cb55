// Writes the browser's script, gen/tracker/sdk.js, which the server serves at /sdk.js. The same sources and the same
// esbuild give the same bytes.
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

await build({
  entryPoints: [at('../src/snippet.ts')],
  outfile: at('../../../gen/tracker/sdk.js'),
  bundle: true,
  minify: true,
  format: 'iife',
  target: 'es2022',
  charset: 'ascii', // it may be served by anyone, with any charset
  legalComments: 'none',
  logLevel: 'error',
});
