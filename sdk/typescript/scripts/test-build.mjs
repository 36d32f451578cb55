// Translates the tests, and the sources they test, into dist-test. Their types are checked by `npm run typecheck`.
import { build } from 'esbuild';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const sources = ['src', 'test'].flatMap((dir) => readdirSync(join(root, dir), { recursive: true }).filter((file) => file.endsWith('.ts')).map((file) => join(root, dir, file)));

rmSync(join(root, 'dist-test'), { recursive: true, force: true });
await build({ entryPoints: sources, outdir: join(root, 'dist-test'), outbase: root, format: 'esm', target: 'node20', sourcemap: true, logLevel: 'error' });
