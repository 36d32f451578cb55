/** What the dashboard gives people to paste must run as it stands: against this server, with the SDKs as they are. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asCurl, asGo, asTypeScript, insightCall } from '../src/insights/code';
import { browser, browserEvent, go, installGo, node, python } from '../src/routes/install/snippets';
import { expect, test, url } from './fixtures';
import { account, call, emailOf } from './seed';

const root = join(import.meta.dirname, '../..');
const run = (command: string, args: string[], cwd: string, secret: string) => execFileSync(command, args, { cwd, env: { ...process.env, NIMBUS_SECRET: secret, CGO_ENABLED: '0', FORCE_COLOR: '0' } }).toString();

function withGo(command: 'run' | 'vet', name: string, program: string, secret: string) {
  const dir = mkdtempSync(join(process.env['NIMBUS_E2E_DIR']!, `${name}-`));
  writeFileSync(join(dir, 'main.go'), program);
  return run('go', [command, join(dir, 'main.go')], join(root, 'sdk/go'), secret);
}

/** In an empty folder, as the page says it. A module cache of its own, because what this server serves is no release. */
function installed(commands: string, program: string, secret: string) {
  const dir = mkdtempSync(join(process.env['NIMBUS_E2E_DIR']!, 'install-'));
  const [modules, proxies] = run('go', ['env', 'GOMODCACHE', 'GOPROXY'], dir, '').trim().split('\n');
  const env = { ...process.env, NIMBUS_SECRET: secret, CGO_ENABLED: '0', GOSUMDB: 'off', GOFLAGS: '-modcacherw', GOMODCACHE: join(dir, 'cache'), GOPROXY: `file://${modules}/cache/download,${proxies}` };
  writeFileSync(join(dir, 'main.go'), program);
  return execFileSync('sh', ['-eu', '-c', `${commands}\ngo run .`], { cwd: dir, env }).toString();
}

test('snippets and code', async ({ page }) => {
  test.setTimeout(600_000); // the Go SDK is compiled
  const who = await account(url, emailOf('code'));
  const made = await call<{ project: { id: string; api_key_id: string }; api_key_secret: string }>(url, '/v1/projects', { name: 'Code' }, who);
  const secret = made.api_key_secret;
  const keys = { url, projectId: made.project.id, keyId: made.project.api_key_id };
  const runNode = (program: string) => run('node', ['--input-type=module', '--eval', program], join(root, 'frontend'), secret);

  // It is installed by the tests of the SDK itself.
  const runPython = (program: string) => run('env', [`PYTHONPATH=${join(root, 'sdk/python/src')}`, 'PYTHONDONTWRITEBYTECODE=1', 'python3', '-c', program], root, secret);

  runNode(node({ ...keys, secret }));
  runNode(node(keys));
  expect(installed(installGo(url), go(keys), secret)).toContain('events stored: 1\n');
  withGo('vet', 'track-secret', go({ ...keys, secret }), '');
  for (const snippet of [python(keys), python({ ...keys, secret })]) expect(runPython(snippet)).toBe('events stored: 1\n');

  const { key } = await call<{ key: string }>(url, `/v1/projects/${keys.projectId}/write-keys`, { allowed_origins: [] }, who);
  await page.route('**/a-shop', (route) => route.fulfill({ contentType: 'text/html', body: `<!doctype html><title>Shop</title><button>Sign up</button>${browser({ ...keys, writeKey: key })}<script>document.querySelector('button').onclick = () => { ${browserEvent} }</script>` }));
  // Five views are five page views, and nobody has signed up by that.
  for (let view = 0; view < 5; view++) await page.goto(`${url}/a-shop`);
  await page.getByRole('button').click();

  // `tricky` has what each language would read as its own.
  const day = 86_400_000;
  const range = { from: new Date(Date.now() - day).toISOString(), to: new Date(Date.now() + day).toISOString() };
  const trends = (...events: string[]) => insightCall(keys.projectId, { kind: 'trends', ...range, bucket: '1d', series: events.map((event) => ({ event })), formulas: [{ expression: events.map((_, i) => 'AB'[i]).join(' + ') }] });
  const question = trends('signed_up', `'"\`$\\tricky\${1}`);
  const total = (call = question) => run('sh', ['-c', asCurl(call, url)], root, secret);
  await expect.poll(() => total(trends('$pageview'))).toContain('"formulas":[{"total":5');
  await expect.poll(() => total()).toContain('"formulas":[{"total":6');
  expect(runNode(asTypeScript(question, url))).toContain('"formulas":[{"total":6');
  expect(withGo('run', 'ask', asGo(question, url), secret)).toContain('"formulas":[{"total":6');
  const sticky = insightCall(keys.projectId, { kind: 'stickiness', ...range, event: '$pageview' });
  expect(run('sh', ['-c', asCurl(sticky, url)], root, secret)).toContain('"people":');
  expect(runNode(asTypeScript(sticky, url))).toContain('"people":');
  expect(withGo('run', 'sticky', asGo(sticky, url), secret)).toContain('"people":');
});
