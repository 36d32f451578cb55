/** Once for the whole run: the dashboard and the program are built, and the program runs on a fresh database. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seed } from './seed';
import { start } from './server';

export default async function setup() {
  const dir = mkdtempSync(join(tmpdir(), 'nimbus-e2e-'));
  chmodSync(dir, 0o755); // under root, PostgreSQL runs as another account and must get in
  const frontend = join(import.meta.dirname, '..');
  const binary = process.env['NIMBUS_BIN'] ?? join(dir, 'nimbus');
  if (!process.env['NIMBUS_BIN']) {
    execFileSync('npm', ['run', '--silent', 'build'], { cwd: frontend, stdio: ['ignore', 'ignore', 'inherit'] });
    execFileSync('go', ['build', '-o', binary, './cmd/nimbus'], { cwd: join(frontend, '..'), stdio: 'inherit', env: { ...process.env, CGO_ENABLED: '0' } });
  }
  const server = await start(binary, join(dir, 'data'));
  process.env['NIMBUS_E2E_URL'] = server.url;
  process.env['NIMBUS_E2E_BIN'] = binary;
  process.env['NIMBUS_E2E_DIR'] = dir;
  process.env['NIMBUS_E2E_SHOP'] = JSON.stringify(await seed(server.url));
  return async () => {
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  };
}
