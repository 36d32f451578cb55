// The examples and the README's first snippet, as they stand, against the real server.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { type Browser, chromium } from 'playwright-core';
import { browserOptions } from './support/browser.js';
import { lineOf, Nimbus, root } from './support/processes.js';
import { snippets } from './support/snippets.js';
import { arrived, newTenant, stored, type Tenant } from './support/tenant.js';

const run = promisify(execFile);
const nimbus = new Nimbus();
let browser: Browser;
before(async () => {
  [browser] = await Promise.all([chromium.launch(browserOptions()), nimbus.start()]);
});
after(async () => {
  await browser.close();
  await nimbus.remove();
});

function environment(tenant: Tenant): NodeJS.ProcessEnv {
  return { ...process.env, NIMBUS_URL: nimbus.url, NIMBUS_PROJECT_ID: tenant.projectId, NIMBUS_KEY_ID: tenant.keyId, NIMBUS_SECRET: tenant.secret };
}

test("the README's first snippet works as it stands", async () => {
  const tenant = await newTenant(nimbus.url);
  const [, snippet = ''] = /```js\n(.*?)```/s.exec(readFileSync(join(root, 'sdk', 'typescript', 'README.md'), 'utf8')) ?? [];
  const file = join(root, 'sdk', 'typescript', 'dist-test', 'snippet.mjs');
  writeFileSync(file, snippet);
  await run(process.execPath, [file], { env: environment(tenant) });
  rmSync(file);
  assert.deepEqual((await stored(tenant)).map((e) => [e.name, e.user_id, e.props]), [['signed_up', 'user_123', { plan: 'pro' }]]);
});

test('node-server delivers every order before it stops', async (t) => {
  const tenant = await newTenant(nimbus.url);
  const child = spawn(process.execPath, ['server.mjs'], { cwd: join(root, 'examples', 'node-server'), env: { ...environment(tenant), PORT: '0' }, stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const url = await lineOf(child, 'stdout', /^(http:.*)$/);
  for (let n = 0; n < 10; n++) assert.equal((await fetch(`${url}/orders?user=user_${n}&total=9.9`, { method: 'POST' })).status, 201);
  const last = lineOf(child, 'stdout', /^(tracked .*)$/);
  child.kill('SIGTERM');
  assert.equal(await last, 'tracked 10, not delivered 0');
  assert.equal((await stored(tenant)).filter((e) => e.name === 'order_placed' && e.props['total'] === 9.9).length, 10);
});

const contentTypes: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

/** Serves files until the test ends; what is no file is the first page, as for an application with a router. */
async function serve(t: TestContext, read: (path: string) => Buffer | string): Promise<string> {
  const server = createServer((req, res) => {
    const path = (req.url ?? '/').split('?')[0] ?? '/';
    const file = extname(path) ? path : '/index.html';
    res.setHeader('Content-Type', contentTypes[extname(file)] ?? 'application/octet-stream');
    try {
      res.end(read(file));
    } catch {
      res.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('plain-html tracks what it says', async (t) => {
  let html = '';
  const origin = await serve(t, () => html);
  const tenant = await newTenant(nimbus.url, [origin]);
  html = readFileSync(join(root, 'examples', 'plain-html', 'index.html'), 'utf8')
    .replace('http://127.0.0.1:8080', nimbus.url)
    .replace('YOUR_WRITE_KEY', tenant.writeKey)
    .replace('YOUR_PROJECT_ID', tenant.projectId);
  const page = await browser.newPage();
  await page.goto(origin);
  for (const name of ['Buy', 'Log in', 'Buy', 'Log out', 'Buy']) await page.getByRole('button', { name }).click();
  const events = await arrived(tenant, 4);
  // Clicks from before the script has loaded are all of one millisecond, and come in any order.
  assert.deepEqual(events.filter((e) => e.name === 'button_clicked').map((e) => e.user_id ?? 'nobody').sort(), ['nobody', 'nobody', 'user_123']);
  assert.deepEqual([...new Set(events.map((e) => e.name))].sort(), ['$pageview', 'button_clicked']);
  await page.close();
});

test('react-app, built for production, tracks its pages and its buttons', async (t) => {
  const dist = join(root, 'examples', 'react-app', 'dist');
  const origin = await serve(t, (path) => readFileSync(join(dist, path)));
  const tenant = await newTenant(nimbus.url, [origin]);
  const env = { ...process.env, VITE_NIMBUS_URL: nimbus.url, VITE_NIMBUS_PROJECT_ID: tenant.projectId, VITE_NIMBUS_WRITE_KEY: tenant.writeKey };
  const [cwd, programs] = [join(root, 'examples', 'react-app'), join(root, 'node_modules', '.bin')];
  await Promise.all([run(join(programs, 'tsc'), ['-p', cwd]), run(join(programs, 'vite'), ['build', '--logLevel=error'], { cwd, env })]);
  const page = await browser.newPage();
  await page.goto(origin);
  for (const name of ['Products', 'Add to cart', 'Log in', 'Add to cart', 'Home', 'Log out']) await page.getByRole('button', { name }).click();
  const events = await arrived(tenant, 5);
  assert.deepEqual(events.filter((e) => e.name === '$pageview').map((e) => e.props['page']).sort(), ['/', '/', '/products']);
  assert.deepEqual(events.filter((e) => e.name === 'added_to_cart').map((e) => [e.props['price'], e.user_id ?? 'nobody']), [[19.9, 'nobody'], [19.9, 'user_123']]);
  assert.deepEqual(new Set(events.map((e) => e.anonymous_id)).size, 1);
  await page.close();
});

test("the README's React is that of the install page, compiles, and works as it stands", async (t) => {
  const { react } = await snippets();
  const readme = readFileSync(join(root, 'sdk', 'typescript', 'README.md'), 'utf8');
  const [, snippet] = /```tsx\n(.*?)\n```/s.exec(readme.slice(readme.indexOf('## In React'))) ?? [];
  assert.equal(snippet, react({ url: 'https://nimbus.example.com', projectId: '…', writeKey: 'nw_…' }));

  let script = '';
  const origin = await serve(t, (path) => (path === '/main.js' ? script : '<!doctype html><div id="root"></div><script type="module" src="/main.js"></script>'));
  const tenant = await newTenant(nimbus.url, [origin]);
  const dir = join(root, 'sdk', 'typescript', 'dist-test', 'react-snippet');
  mkdirSync(dir, { recursive: true });
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, 'main.tsx'), react({ url: nimbus.url, ...tenant }));
  writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ extends: join(root, 'examples', 'react-app', 'tsconfig.json'), include: ['.'] }));
  const [built] = await Promise.all([
    build({ entryPoints: [join(dir, 'main.tsx')], bundle: true, format: 'esm', jsx: 'automatic', define: { 'process.env.NODE_ENV': '"production"' }, write: false, logLevel: 'error' }),
    run(join(root, 'node_modules', '.bin', 'tsc'), ['-p', dir]).catch((error: unknown) => assert.fail((error as { stdout: string }).stdout)),
  ]);
  script = built.outputFiles[0]?.text ?? '';
  const page = await browser.newPage();
  await page.goto(origin);
  await page.getByRole('button', { name: 'Sign up' }).click();
  const events = await arrived(tenant, 2);
  assert.deepEqual(events.map((e) => [e.name, e.user_id]).sort(), [['$pageview', undefined], ['signed_up', 'user_1']]);
  await page.close();
});
