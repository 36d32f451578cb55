// Packs what scripts/build.mjs has built, for the server to embed: sdk/dist gets the tarball, and index.json, which names it.
// The same sources, npm and Node.js give the same bytes.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('..', import.meta.url));
const out = fileURLToPath(new URL('../../dist/', import.meta.url));

mkdirSync(out, { recursive: true });
for (const file of readdirSync(out)) if (file.endsWith('.tgz')) rmSync(out + file);
const packed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--loglevel=error', '--pack-destination', out], { cwd: here, encoding: 'utf8' });
const [{ name, version, filename, integrity }] = Object.values(JSON.parse(packed));
// The packages of other languages stay in the list.
const others = existsSync(`${out}index.json`) ? JSON.parse(readFileSync(`${out}index.json`, 'utf8')).packages.filter((p) => p.name !== name) : [];
writeFileSync(`${out}index.json`, `${JSON.stringify({ packages: [{ name, version, path: `/sdk/${filename}`, integrity }, ...others] }, null, 2)}\n`);
