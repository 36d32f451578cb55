// The commands of the README and of the dashboard's install page, as they are printed, from an empty folder, against a server
// that serves its own package.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { Nimbus, root } from './support/processes.js';
import { snippets } from './support/snippets.js';
import { newTenant, stored, type Tenant } from './support/tenant.js';

const run = promisify(execFile);
const nimbus = new Nimbus();
const folders: string[] = [];
before(() => nimbus.start());
after(async () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  await nimbus.remove();
});

/** Installs in an empty folder, and runs the program. */
async function follow(install: string, code: string, tenant: Tenant): Promise<string> {
  const cwd = mkdtempSync(join(tmpdir(), 'nimbus-install-'));
  folders.push(cwd);
  const env = {
    ...process.env, npm_config_audit: 'false', npm_config_cache: join(cwd, '.cache'),
    NIMBUS_URL: nimbus.url, NIMBUS_PROJECT_ID: tenant.projectId, NIMBUS_KEY_ID: tenant.keyId, NIMBUS_SECRET: tenant.secret,
  };
  await run('sh', ['-c', install], { cwd, env });
  writeFileSync(join(cwd, 'track.mjs'), code);
  const { stdout } = await run('sh', ['-c', 'node track.mjs'], { cwd, env });
  const lock = JSON.parse(readFileSync(join(cwd, 'package-lock.json'), 'utf8')) as { packages: Record<string, { integrity?: string }> };
  const index = (await (await fetch(`${nimbus.url}/sdk/`)).json()) as { packages: { name: string; path: string; integrity: string }[] };
  const [own] = index.packages.filter((p) => p.name === '@nimbus-analytics/sdk');
  const bytes = new Uint8Array(await (await fetch(`${nimbus.url}${own?.path}`)).arrayBuffer());
  assert.equal(own?.integrity, `sha512-${createHash('sha512').update(bytes).digest('base64')}`);
  assert.equal(lock.packages['node_modules/@nimbus-analytics/sdk']?.integrity, own.integrity);
  return stdout;
}

test('the install page: npm install from this server, and the program says that an event was stored', { timeout: 120_000 }, async () => {
  const { installNode, node } = await snippets();
  const { version } = JSON.parse(readFileSync(join(root, 'sdk', 'typescript', 'package.json'), 'utf8')) as { version: string };
  for (const secret of [true, false]) {
    const tenant = await newTenant(nimbus.url);
    const keys = { url: nimbus.url, projectId: tenant.projectId, keyId: tenant.keyId, secret: secret ? tenant.secret : undefined };
    assert.equal(await follow(installNode(nimbus.url, version), node(keys), tenant), 'events stored: 1\n');
    assert.deepEqual((await stored(tenant)).map((e) => [e.name, e.user_id]), [['signed_up', 'user_1']]);
  }
});

test('the README: the same', { timeout: 120_000 }, async () => {
  const readme = readFileSync(join(root, 'sdk', 'typescript', 'README.md'), 'utf8');
  const [, install = ''] = /```sh\n(npm install .*?)```/s.exec(readme) ?? [];
  const [, code = ''] = /```js\n(.*?)```/s.exec(readme) ?? [];
  const tenant = await newTenant(nimbus.url);
  const said = (await follow(install.replace('https://nimbus.example.com', nimbus.url), code, tenant)).split('\n');
  assert.match(said[0] ?? '', /^nimbus: \{"name":"signed_up",/);
  assert.deepEqual(said.slice(1), ['nimbus: 1 events stored', '']);
  assert.deepEqual((await stored(tenant)).map((e) => e.name), ['signed_up']);
});
