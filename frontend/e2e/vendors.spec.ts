/** The snippets of the install page with the real SDKs of other vendors, as they stand; and the switches of the project's settings. */
import AxeBuilder from '@axe-core/playwright';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build, type Rolldown } from 'vite';
import type { Keys } from '../src/routes/install/snippets';
import { type Vendor, vendors } from '../src/routes/install/vendors';
import { expect, logIn, said, test, url } from './fixtures';
import { below } from './prefix';
import { account, call, emailOf, project } from './seed';

const root = join(import.meta.dirname, '../..');
const event = 'sent by the snippet';

/** What an app does with the SDK that a snippet has made, until it is sent. */
const servers: Record<string, string> = {
  '@segment/analytics-node': `analytics.track({ userId: 'u', event: '${event}' }); await analytics.closeAndFlush();`,
  '@rudderstack/rudder-sdk-node': `analytics.track({ userId: 'u', event: '${event}' }); await analytics.flush();`,
  mixpanel: `await new Promise((done, fail) => mixpanel.track('${event}', { distinct_id: 'u' }, (error) => (error ? fail(error) : done())));`,
  'posthog-node': `posthog.capture({ distinctId: 'u', event: '${event}' }); await posthog.shutdown();`,
  '@umami/node': `await umami.track('${event}');`,
};
const pages: Record<string, string> = {
  '@segment/analytics-next': `void analytics.track('${event}');`,
  'posthog-js': `posthog.set_config({ opt_out_useragent_filter: true }); posthog.capture('${event}', {}, { send_instantly: true });`,
  'mixpanel-browser': `mixpanel.track('${event}', {}, { send_immediately: true });`,
  '@plausible-analytics/tracker': `import { track } from '@plausible-analytics/tracker'; track('${event}', {});`,
};

/** A project that other SDKs send to: its keys, and how often the event was stored. */
async function sender(name: string) {
  const who = await account(url, emailOf(name));
  const mine = await project(url, who, name);
  const write = await call<{ id: string; key: string }>(url, `/v1/projects/${mine.projectId}/write-keys`, { allowed_origins: [] }, who);
  const keys: Keys = { url, projectId: mine.projectId, keyId: '', writeKey: write.key, writeKeyId: write.id };
  const stored = async () => {
    const response = await fetch(`${url}/v1/events?${new URLSearchParams({ project_id: mine.projectId, name: event })}`, { headers: who });
    return ((await response.json()) as { items: unknown[] }).items.length;
  };
  return { keys, stored };
}

const stepsOf = (keys: Keys) => vendors.flatMap((vendor: Vendor) => vendor.steps(keys));

test('every snippet is run, and the page of docs has the same', () => {
  const steps = stepsOf({ url: 'https://nimbus.example.com', projectId: '', keyId: '', writeKey: 'nw_…' });
  expect(steps.map(({ title }) => title).sort()).toEqual(Object.keys({ ...servers, ...pages }).sort());
  const docs = readFileSync(join(root, 'docs/compatibility.md'), 'utf8');
  for (const { code, title } of steps) {
    const made = code.split('\n').at(-1)!.replace(/^const \w+ = /, '').replace(/;$/, '');
    expect(docs.split('\n').filter((line) => line.startsWith(made) && line.endsWith(`// ${title === 'mixpanel' ? 'mixpanel (Node.js)' : title}`)), `${title}: ${made}`).toHaveLength(1);
  }
  for (const { label } of vendors) expect(docs).toContain(`\n### Move from ${label}\n`);
});

test('the snippets of servers store what is sent, at the root and below a path', async () => {
  test.setTimeout(600_000);
  const proxy = await below('/analytics/', url);
  try {
    const { keys, stored } = await sender('vendors-servers');
    let sent = 0;
    for (const at of [url, proxy.url.replace(/\/$/, '')])
      for (const { title, code } of stepsOf({ ...keys, url: at }))
        if (servers[title]) {
          await promisify(execFile)('node', ['--input-type=module', '--eval', `${code}\n${servers[title]}`], { cwd: join(root, 'test/vendors') });
          await expect.poll(stored, { message: `${title} at ${at}` }).toBe(++sent);
        }
  } finally {
    proxy.close();
  }
});

test('the snippets of browsers store what is sent', async ({ page }) => {
  test.setTimeout(600_000);
  const { keys, stored } = await sender('vendors-pages');
  const dir = join(root, 'test/vendors/dist');
  mkdirSync(dir, { recursive: true });
  // A site of another origin, as that of a customer is: Plausible's tracks nothing on localhost itself.
  let script = '';
  const site = createServer((req, res) => res.setHeader('Content-Type', req.url === '/page' ? 'text/html' : 'text/javascript').end(req.url === '/page' ? '<!doctype html><title>A page</title><body><script src="/script.js"></script>' : script));
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  // Plausible's tracks no browser that says that a program drives it.
  await page.addInitScript(() => Object.defineProperty(navigator, 'webdriver', { get: () => false }));
  try {
    const steps = stepsOf(keys).filter(({ title }) => pages[title]);
    for (const [n, { title, code }] of steps.entries()) {
      const entry = join(dir, `${n}.js`);
      writeFileSync(entry, `${code}\n${pages[title]}`);
      const built = (await build({ root: dir, configFile: false, logLevel: 'silent', define: { 'process.env.NODE_ENV': '"production"' }, build: { write: false, minify: false, lib: { entry, formats: ['iife'], name: 'page' } } })) as Rolldown.RolldownOutput[];
      script = built[0]!.output[0].code;
      await page.goto(`http://shop.localhost:${(site.address() as AddressInfo).port}/page`);
      await expect.poll(stored, { message: title }).toBe(n + 1);
    }
  } finally {
    site.closeAllConnections();
    site.close();
    rmSync(dir, { recursive: true, force: true });
  }
});

test('a project takes nothing from the vendors that its settings switch off', async ({ page }) => {
  const email = emailOf('dialects');
  const who = await account(url, email);
  const mine = await project(url, who, 'dialects');
  const write = await call<{ key: string }>(url, `/v1/projects/${mine.projectId}/write-keys`, { allowed_origins: [] }, who);
  const segment = async () => (await fetch(`${url}/v1/track`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ writeKey: write.key, userId: 'u', event }) })).status;
  expect(await segment()).toBe(200);
  await logIn(page, email);
  await page.goto(`/projects/${mine.projectId}/settings`);
  const one = page.getByRole('checkbox', { name: 'Segment and RudderStack' });
  await expect(one).toBeChecked();
  await one.click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  await expect(one).toBeChecked();
  await one.click();
  expect((await new AxeBuilder({ page }).include('dialog').analyze()).violations).toEqual([]);
  await page.getByRole('dialog').getByRole('button', { name: 'Switch off' }).click();
  await said(page, 'Saved.');
  await expect(one).not.toBeChecked();
  await expect(page.getByRole('checkbox', { name: 'Mixpanel' })).toBeChecked();
  await expect.poll(segment).toBe(401);
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);

  await page.getByRole('link', { name: 'How to send with them' }).click();
  await expect(page.getByText('This project takes nothing from Segment SDKs')).toBeVisible();
  await expect(page.getByText(write.key, { exact: true })).toBeVisible();
  await expect(page.getByRole('link', { name: /^Move from Segment/ })).toHaveAttribute('href', /docs\/compatibility\.md#move-from-segment$/);
  await page.getByRole('button', { name: 'Mixpanel' }).click();
  await expect(page).toHaveURL(/\?sdk=mixpanel$/);
  await expect(page.getByText('This project takes nothing')).toHaveCount(0);
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);

  await page.getByRole('link', { name: 'Settings', exact: true }).click();
  await one.click();
  await expect(one).toBeChecked();
  await expect.poll(segment).toBe(200);
});
