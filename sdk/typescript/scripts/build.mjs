// Writes dist, which is published: ES modules, and below dist/cjs the same for programs that require() it. The declarations
// are written with exactOptionalPropertyTypes, or they do not fit the programs that have it; what they are written from is
// checked by `npm run typecheck`, because generated code does not compile with it.
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('..', import.meta.url));
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

rmSync(`${here}dist`, { recursive: true, force: true });
for (const config of ['tsconfig.build.json', 'tsconfig.cjs.json']) execFileSync(process.execPath, [tsc, '-p', config], { cwd: here, stdio: 'inherit' });
writeFileSync(`${here}dist/cjs/package.json`, '{"type":"commonjs"}\n');
