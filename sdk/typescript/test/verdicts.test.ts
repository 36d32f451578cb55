import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTracker, type Event } from '../src/index.js';
import { recordingTransport } from '../src/testing.js';
import { root } from './support/processes.js';

interface Verdict {
  name: string;
  events: Event[];
  verdicts: { pointer: string; code: string }[][];
  local?: boolean;
}

// The server is held to the same file.
const vectors = JSON.parse(readFileSync(join(root, 'testvectors', 'verdicts.json'), 'utf8')) as Verdict[];

/** Whether the tracker takes the event. */
async function takes({ name, props, user_id: userId, anonymous_id: anonymousId, ts, seq, idempotency_key: idempotencyKey }: Event): Promise<boolean> {
  const tracker = createTracker({ baseUrl: 'http://nimbus.example', projectId: 'p', writeKey: 'nw', fetch: recordingTransport().fetch });
  try {
    await tracker.track(name, props, { userId, anonymousId, ts, seq, idempotencyKey });
    return true;
  } catch {
    return false;
  } finally {
    await tracker.close();
  }
}

for (const { name, events, verdicts, local } of vectors) {
  // A number this large is another one in JavaScript already.
  if (events.some(({ seq }) => seq !== undefined && seq > Number.MAX_SAFE_INTEGER)) continue;
  test(`${name}: ${local ? 'refused at once' : 'left to the server'}`, async () => {
    for (const [k, event] of events.entries()) {
      const fine = !verdicts[k]?.length;
      if (local && !fine) assert.equal(await takes(event), false);
      if (fine) assert.equal(await takes(event), true);
    }
  });
}

test('there are vectors of every kind', () => {
  assert.ok(vectors.some((v) => v.local) && vectors.some((v) => !v.local && v.verdicts[0]?.length === 0));
});
