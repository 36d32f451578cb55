// Translates the tests, and the sources they test, into dist-test, and builds the programs they run against. Types are
// checked by `npm run typecheck`.
import { build } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('..', import.meta.url));
const out = join(here, 'dist-test');
const typescript = (dir) => readdirSync(join(here, dir), { recursive: true }).filter((file) => file.endsWith('.ts')).map((file) => join(here, dir, file));

rmSync(out, { recursive: true, force: true });
await build({ entryPoints: ['src', 'test'].flatMap(typescript), outdir: out, outbase: here, format: 'esm', target: 'node20', sourcemap: true, logLevel: 'error' });
for (const [program, source] of Object.entries({ nimbus: './cmd/nimbus', sdktest: './test/sdktest/cmd' })) {
  const env = { ...process.env, CGO_ENABLED: '0' };
  execFileSync('go', ['build', '-o', join(out, 'bin', program), source], { cwd: join(here, '..', '..'), env, stdio: 'inherit' });
}
