import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createClient, createTracker, ingestEvents, sign, signRequests } from '../src/index.js';

interface Vector {
  name: string;
  secret: string;
  timestamp: number | string;
  method: string;
  path: string;
  body?: string;
  body_base64?: string;
  signature: string;
  valid: boolean;
}

// The server, the Go client and this one are held to the same file.
const vectors = JSON.parse(readFileSync(new URL('../../../../testvectors/signatures.json', import.meta.url), 'utf8')) as Vector[];

test('there are vectors of both kinds', () => {
  assert.ok(vectors.some((v) => v.valid));
  assert.ok(vectors.some((v) => !v.valid));
});

for (const v of vectors) {
  test(`the signature of "${v.name}" is ${v.valid ? 'the one on file' : 'not the one on file'}`, async () => {
    const body = v.body_base64 === undefined ? (v.body ?? '') : new Uint8Array(Buffer.from(v.body_base64, 'base64'));
    const got = await sign(v.secret, Number(v.timestamp), v.method, v.path, body);
    assert.equal(got === v.signature, v.valid, got);
  });
}

test('an interceptor signs the path as it is sent and the exact body, and leaves the body to be sent', async () => {
  const request = await signRequests({ keyId: 'nk_1', secret: 's3cret', now: () => 1_768_473_000_999 })(
    new Request('https://nimbus.example/v1/events%20x?limit=1', { method: 'POST', body: '{"a":"ü"}' }),
  );
  assert.equal(request.headers.get('X-Api-Key-Id'), 'nk_1');
  assert.equal(request.headers.get('X-Api-Timestamp'), '1768473000', 'whole seconds, rounded down');
  assert.equal(request.headers.get('X-Api-Signature'), await sign('s3cret', 1_768_473_000, 'post', '/v1/events%20x', '{"a":"ü"}'));
  assert.equal(await request.text(), '{"a":"ü"}');
});

test('what is signed is the path that the server sees behind a proxy, by client and tracker alike', async () => {
  const seen: Request[] = [];
  const answer = Response.json({ accepted: 1, duplicates: 0, rejected: 0, errors: [] });
  const record: typeof fetch = async (input, init) => {
    seen.push(new Request(input, init));
    return answer.clone();
  };
  const baseUrl = 'https://example.com/analytics/';
  const client = createClient({ baseUrl, fetch: record });
  client.interceptors.request.use(signRequests({ keyId: 'nk_1', secret: 's3cret' }));
  await ingestEvents({ client, body: { project_id: 'p', events: [{ name: 'e' }] } });
  const tracker = createTracker({ baseUrl, projectId: 'p', keyId: 'nk_1', secret: 's3cret', fetch: record });
  await tracker.track('e');
  await tracker.close();
  for (const request of seen) {
    const timestamp = Number(request.headers.get('X-Api-Timestamp'));
    assert.match(request.url, /^https:\/\/example\.com\/analytics\/+v1\/events$/);
    assert.equal(request.headers.get('X-Api-Signature'), await sign('s3cret', timestamp, 'POST', '/v1/events', await request.text()));
  }
  assert.equal(seen.length, 2);
});
