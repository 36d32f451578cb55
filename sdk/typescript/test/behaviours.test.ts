import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createTracker, type Store } from '../src/index.js';
import { memoryStore } from '../src/tracker/calls.js';
import { behaviours, type Subject } from './support/behaviours.js';
import { ofPeople } from './support/people.js';
import { vectors } from './support/vectors.js';
import { root, startMisbehaving } from './support/processes.js';

interface Listed {
  name: string;
  description: string;
  sdks?: string[];
}

const all = { ...behaviours, ...ofPeople };
const listed = JSON.parse(readFileSync(join(root, 'testvectors', 'behaviours.json'), 'utf8')) as Listed[];

let server: { url: string; stop: () => void };
before(async () => {
  server = await startMisbehaving();
});
after(() => server.stop());

test('every behaviour of the list is tested', () => {
  const wanted = listed.filter((b) => !b.sdks || b.sdks.includes('typescript')).map((b) => b.name);
  assert.deepEqual(wanted.filter((name) => !(name in all)), []);
});

const stores = new Map<string, Store>();
/** What keeps the visitor of a project. */
function storeOf(projectId: string): Store {
  const store = stores.get(projectId) ?? memoryStore();
  stores.set(projectId, store);
  return store;
}

const subject: Subject = {
  create: (options: Parameters<typeof createTracker>[0]) => createTracker({ keyId: 'nk_test', secret: 'ns_test', ...options }),
  createWith: createTracker,
  visitor: (options) => {
    const { visitor, flush, close, stats } = createTracker({ writeKey: 'nw_test', ...options });
    return { ...visitor({ store: storeOf(options.projectId) }), flush, close, stats };
  },
  vectors,
  checks: true,
};
for (const [name, run] of Object.entries(all)) {
  test(name, { timeout: 120_000 }, () => run(subject, server.url));
}
