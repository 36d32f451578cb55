// What is published: its contents, its entries, its types, its sizes, and its words.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const here = fileURLToPath(new URL('../../', import.meta.url));
const consumer = join(here, 'dist-test', 'consumer');
const installed = join(consumer, 'node_modules', '@nimbus-analytics', 'sdk');
let files: string[];

before(async () => {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts', '--loglevel=error'], { cwd: here });
  files = (JSON.parse(stdout) as { files: { path: string }[] }[])[0]?.files.map((f) => f.path) ?? [];
  for (const file of files) cpSync(join(here, file), join(installed, file));
});
after(() => rmSync(consumer, { recursive: true, force: true }));

test('the package holds what is built and what explains it, and nothing else', () => {
  assert.deepEqual(files.filter((f) => !f.startsWith('dist/')).sort(), ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']);
  assert.deepEqual(files.filter((f) => !/\.(js|d\.ts)$/.test(f) && f.startsWith('dist/')), ['dist/cjs/package.json']);
  assert.equal(readFileSync(join(here, 'LICENSE'), 'utf8'), readFileSync(join(here, '..', '..', 'LICENSE'), 'utf8'));
});

interface Manifest {
  version: string;
  repository?: unknown;
  homepage?: unknown;
  bugs?: unknown;
  exports: Record<string, Record<'import' | 'require', { types: string; default: string }>>;
  dependencies?: object;
}
const manifest = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8')) as Manifest;
delete manifest.exports['./package.json'];
const entries = Object.keys(manifest.exports).map((entry) => `@nimbus-analytics/sdk${entry.slice(1)}`);

test('it depends on nothing, and every entry loads', async () => {
  assert.equal(manifest.dependencies, undefined);
  const code = entries.map((name) => `if (!Object.keys(await import('${name}')).length) throw new Error('${name} is empty');`).join('\n');
  writeFileSync(join(consumer, 'load.mjs'), code);
  await run(process.execPath, ['load.mjs'], { cwd: consumer });
  const named = Object.values(manifest.exports).flatMap((entry) => Object.values(entry).flatMap((way) => Object.values(way)));
  assert.deepEqual(named.filter((file) => !files.includes(file.slice(2))), []);
});

test('every entry can be required, by loaders too that cannot load an ES module, as in Jest', async () => {
  const code = entries.map((name) => `if (!Object.keys(require('${name}')).length) throw new Error('${name} is empty');`).join('\n');
  writeFileSync(join(consumer, 'load.cjs'), `${code}
    const { createTracker, TrackError } = require('@nimbus-analytics/sdk');
    const { recordingTransport } = require('@nimbus-analytics/sdk/testing');
    const transport = recordingTransport();
    const tracker = createTracker({ baseUrl: 'http://nimbus.example', projectId: 'p', writeKey: 'nw', fetch: transport.fetch });
    void tracker.track('e');
    tracker.track('').catch((error) => {
      if (!(error instanceof TrackError)) throw error;
      return tracker.close();
    }).then(() => { if (transport.events.length !== 1) throw new Error('not sent'); });`);
  for (const flag of ['--no-experimental-require-module', '--no-warnings']) await run(process.execPath, [flag, 'load.cjs'], { cwd: consumer });
});

test('what is packed from a clean checkout is the package, and the same each time', { timeout: 600_000 }, async () => {
  const clean = join(here, 'dist-test', 'clean');
  rmSync(clean, { recursive: true, force: true });
  const built = ['dist', 'dist-test', 'test', 'node_modules'];
  for (const name of readdirSync(here)) if (!built.includes(name)) cpSync(join(here, name), join(clean, name), { recursive: true });
  const pack = async () => {
    const { stdout } = await run('npm', ['pack', '--json', '--loglevel=error'], { cwd: clean });
    const [packed] = Object.values(JSON.parse(stdout.slice(stdout.search(/^[[{]/m))) as Record<string, { integrity: string; files: { path: string }[] }>);
    return packed;
  };
  const [first, second] = [await pack(), await pack()];
  assert.deepEqual(first?.files.map((f) => f.path), files);
  assert.equal(first?.integrity, second?.integrity);
  rmSync(clean, { recursive: true });
});

test('its version is that of the contract, and it says where it comes from', () => {
  const [, version] = /^ {2}version: (\S+)$/m.exec(readFileSync(join(here, '..', '..', 'openapi', 'nimbus.yaml'), 'utf8')) ?? [];
  assert.equal(manifest.version, version);
  assert.ok(manifest.repository && manifest.homepage && manifest.bugs);
});

const types = `
import { createClient, createTracker, createSession, items, listEvents, live, NimbusError, type Problem, type StoredEvent } from '@nimbus-analytics/sdk';
import { createBrowserTracker } from '@nimbus-analytics/sdk/browser';
import { createProjectMutation, listProjectsOptions } from '@nimbus-analytics/sdk/react-query';
import { useMutation, useQuery } from '@tanstack/react-query';
import { NimbusProvider, PageViews, useIdentify, useNimbus, usePageViews, useTrack, useTrackOnMount } from '@nimbus-analytics/sdk/react';
import { createElement } from 'react';
import { manualClock, recordingTransport } from '@nimbus-analytics/sdk/testing';

const tracker = createTracker<{ signed_up: { plan: string } }>({ baseUrl: '', projectId: '', writeKey: '', fetch: recordingTransport().fetch, clock: manualClock() });
export const done: Promise<void> = tracker.track('signed_up', { plan: 'pro' });
// @ts-expect-error no such event
void tracker.track('signed_out');
// @ts-expect-error no such prop
void tracker.track('signed_up', { plam: 'pro' });
// @ts-expect-error the prop is required
void tracker.track('signed_up');
interface Props { page?: string }
interface Events { viewed: Props; left: { after: number } }
const declared = createBrowserTracker<Events>({ baseUrl: '', projectId: '', writeKey: '' });
void declared.track('viewed');
void declared.track('left', { after: 1 }, { userId: 'u' });
// @ts-expect-error no such prop
void declared.track('viewed', { pagee: '/' });
void createBrowserTracker({ baseUrl: '', projectId: '', writeKey: '' }).track('anything', { goes: [1] });
declare module '@nimbus-analytics/sdk/react' { interface Register { events: Events } }
export function Component(): unknown {
  const track = useTrack();
  void track('left', { after: 1 });
  // @ts-expect-error no such event
  void track('lefd', { after: 1 });
  // @ts-expect-error the prop is required
  useTrackOnMount('left');
  useTrackOnMount('viewed');
  useIdentify(undefined);
  useIdentify(7, { plan: 'pro' });
  usePageViews(null, { route: '/:id' });
  void useNimbus().page(props);
  const useLocation = (own?: { select?: () => string }) => { void own; return { pathname: '/', search: '' }; };
  return createElement(NimbusProvider, { tracker: declared, children: createElement(PageViews, { of: useLocation }) });
}
const props: Props = { page: '/' };
void createTracker({ baseUrl: '', projectId: '', writeKey: '' }).track('viewed', props, { userId: 42 });
void createBrowserTracker({ baseUrl: '', projectId: '', writeKey: '' }).page(props);
const { client } = createSession({ baseUrl: '' });
export async function read() {
  for await (const event of items(listEvents, { client, query: { project_id: '', order: 'asc' } })) { const stored: StoredEvent = event; void stored; }
  for await (const item of live({ client, projectId: '' })) if (item.type === 'missed') { const n: number | null = item.count; void n; }
}
// @ts-expect-error the project is required
void items(listEvents, { client, query: {} });
// @ts-expect-error what a call returns follows from the call alone
void createClient({ baseUrl: '', throwOnError: false });
export const problem: Problem = new NimbusError({});
export const options = listProjectsOptions({ client });
export const query = () => useQuery(listProjectsOptions({ client })).data?.items;
export const mutation = () => useMutation(createProjectMutation({ client }));
`;

for (const [module, moduleResolution, type] of [
  ['ESNext', 'Bundler', 'module'],
  ['NodeNext', 'NodeNext', 'module'],
  ['NodeNext', 'NodeNext', 'commonjs'],
  ['Node16', 'Node16', 'module'],
  ['Node16', 'Node16', 'commonjs'],
  ['CommonJS', 'Node10', 'commonjs'],
] as const) {
  test(`the types resolve with ${moduleResolution} in a package of type ${type}`, async () => {
    const dir = join(consumer, `${moduleResolution}-${type}`);
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, 'package.json'), JSON.stringify({ type }));
    writeFileSync(join(dir, 'use.ts'), types);
    const compilerOptions = {
      target: 'ES2022', lib: ['ES2022', 'DOM', 'DOM.Iterable'], module, moduleResolution, strict: true, exactOptionalPropertyTypes: true,
      noEmit: true, types: [], skipLibCheck: true, ...(moduleResolution === 'Node10' ? { ignoreDeprecations: '6.0' } : {}),
    };
    writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.ts'] }));
    await run(join(here, '..', '..', 'node_modules', '.bin', 'tsc'), ['-p', dir]).catch((error: unknown) => assert.fail((error as { stdout: string }).stdout));
  });
}

test('the types of the package need no DOM', async () => {
  const dir = join(consumer, 'NoDOM');
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
  writeFileSync(join(dir, 'use.ts'), "export * from '@nimbus-analytics/sdk';\nexport * from '@nimbus-analytics/sdk/testing';");
  const compilerOptions = { target: 'ES2022', lib: ['ES2022'], module: 'NodeNext', moduleResolution: 'NodeNext', strict: true, noEmit: true, types: ['node'] };
  writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.ts'] }));
  await run(join(here, '..', '..', 'node_modules', '.bin', 'tsc'), ['-p', dir]).catch((error: unknown) => assert.fail((error as { stdout: string }).stdout));
});

test('a page loads no more than the limits', async () => {
  const { stdout } = await run(process.execPath, ['scripts/size.mjs'], { cwd: here });
  assert.match(stdout, /of 6016 bytes gzipped {2}\/sdk\.js/);
});

test('the tables of options in the README are those of the sources', () => {
  const readme = readFileSync(join(here, 'README.md'), 'utf8');
  const wanted = [
    ['src/tracker/types.ts', 'CommonOptions'],
    ['src/tracker.ts', 'TrackerOptions'],
    ['src/browser.ts', 'BrowserTrackerOptions'],
  ].flatMap(([file, name]) => {
    const [, body] = readFileSync(join(here, file ?? ''), 'utf8').split(`export interface ${name} `);
    return [...(body?.split('\n}\n')[0] ?? '').matchAll(/\/\*\* (.*?) \*\/\n {2}(\w+)\??:/gs)].map(([, comment, option]) => {
      const [, what, standard = ''] = /^(.*?)(?: Default (.+)\.)?$/s.exec(comment ?? '') ?? [];
      return `| \`${option}\` | ${standard} | ${what} |`;
    });
  });
  assert.ok(wanted.length > 25);
  const tables = readme.split('\n| option | default | |\n|---|---|---|\n').slice(1).flatMap((table) => (table.split('\n\n')[0] ?? '').split('\n'));
  assert.deepEqual(tables, wanted);
});
