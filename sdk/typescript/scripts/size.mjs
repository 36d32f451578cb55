// Prints what a page has to load, compressed, and fails above the limit.
import { build } from 'esbuild';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

/** What an application gets that imports so much, bundled and minified. */
async function imported(code) {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: at('../src'), loader: 'ts' },
    bundle: true,
    minify: true,
    format: 'esm',
    external: ['react'],
    target: 'es2022',
    write: false,
    logLevel: 'error',
  });
  return outputFiles[0].contents;
}

const sizes = [
  ['/sdk.js', 6016, readFileSync(at('../../../gen/tracker/sdk.js'))],
  ["import { createBrowserTracker } from '@nimbus-analytics/sdk/browser'", 6272, await imported("export { createBrowserTracker } from './browser.js'")],
  ["import * from '@nimbus-analytics/sdk/react', without React", 1024, await imported("export * from './react.js'")],
  ["import { createTracker } from '@nimbus-analytics/sdk'", 6784, await imported("export { createTracker } from './index.js'")],
  ["import { createSession, listProjects } from '@nimbus-analytics/sdk'", 8192, await imported("export { createSession, listProjects } from './index.js'")],
];

let tooLarge = false;
for (const [what, limit, bytes] of sizes) {
  const size = gzipSync(bytes, { level: 9 }).length;
  tooLarge ||= size > limit;
  console.log(`${String(size).padStart(5)} of ${limit} bytes gzipped  ${what}${size > limit ? '  TOO LARGE' : ''}`);
}
process.exitCode = tooLarge ? 1 : 0;
