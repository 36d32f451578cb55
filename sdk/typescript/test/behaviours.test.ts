import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createTracker } from '../src/index.js';
import { behaviours } from './support/behaviours.js';
import { root, startMisbehaving } from './support/processes.js';

interface Listed {
  name: string;
  description: string;
  sdks?: string[];
}

const listed = JSON.parse(readFileSync(join(root, 'testvectors', 'behaviours.json'), 'utf8')) as Listed[];

let server: { url: string; stop: () => void };
before(async () => {
  server = await startMisbehaving();
});
after(() => server.stop());

test('every behaviour of the list is tested', () => {
  const wanted = listed.filter((b) => !b.sdks || b.sdks.includes('typescript')).map((b) => b.name);
  assert.deepEqual(wanted.filter((name) => !(name in behaviours)), []);
});

const subject = {
  create: (options: Parameters<typeof createTracker>[0]) => createTracker({ keyId: 'nk_test', secret: 'ns_test', ...options }),
  createWith: createTracker,
  checks: true,
};
for (const [name, run] of Object.entries(behaviours)) {
  test(name, { timeout: 120_000 }, () => run(subject, server.url));
}
