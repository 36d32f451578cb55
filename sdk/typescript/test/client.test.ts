import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { createClient, createConfig, getMe, ingestEvents, listEvents, sign, signRequests } from '../src/index.js';

const project = '3fa85f64-5717-4562-b3fc-2c963f66afa6';

/** A server for one test, and a client of it; the handler gets the body as it arrived. */
async function connect(t: TestContext, handler: (req: IncomingMessage, body: Buffer, res: ServerResponse) => Promise<void> | void) {
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    await handler(req, Buffer.concat(chunks), res);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  return createClient(createConfig({ baseUrl: `http://127.0.0.1:${port}` }));
}

function reply(res: ServerResponse, status: number, type: string, body: unknown) {
  res.writeHead(status, { 'Content-Type': type });
  res.end(JSON.stringify(body));
}

test('a signed batch arrives with the signature of the bytes that arrived', async (t) => {
  const client = await connect(t, async (req, body, res) => {
    const want = await sign('s3cret', Number(req.headers['x-api-timestamp']), 'POST', '/v1/events', body);
    assert.equal(req.headers['x-api-signature'], want);
    assert.deepEqual(JSON.parse(body.toString()), { project_id: project, events: [{ name: 'page_view', props: { page: '/home' } }] });
    reply(res, 200, 'application/json', { accepted: 1, duplicates: 0, rejected: 0, errors: [] });
  });
  client.interceptors.request.use(signRequests({ keyId: 'nk_1', secret: 's3cret' }));

  const { data, error } = await ingestEvents({ client, body: { project_id: project, events: [{ name: 'page_view', props: { page: '/home' } }] } });
  assert.equal(error, undefined);
  assert.equal(data?.accepted, 1);
});

test('a repeated query parameter is repeated in the URL, and the token is sent', async (t) => {
  const client = await connect(t, (req, _body, res) => {
    assert.equal(req.url, `/v1/events?project_id=${project}&name=a&name=b%26c&limit=2`);
    assert.equal(req.headers.authorization, 'Bearer tok');
    reply(res, 200, 'application/json', { items: [], next_cursor: null });
  });
  client.setConfig({ auth: (scheme) => (scheme.scheme === 'bearer' ? 'tok' : undefined) });

  const { data } = await listEvents({ client, query: { project_id: project, name: ['a', 'b&c'], limit: 2 } });
  assert.equal(data?.next_cursor, null);
});

test('an error is the problem document, typed', async (t) => {
  const problem = { type: '/docs/errors#unauthenticated', title: 'Unauthenticated', status: 401, detail: 'x', code: 'unauthenticated', request_id: 'r' };
  const client = await connect(t, (_req, _body, res) => reply(res, 401, 'application/problem+json', problem));

  const { data, error, response } = await getMe({ client });
  assert.equal(data, undefined);
  assert.equal(error?.code, 'unauthenticated');
  assert.equal(response?.status, 401);
  await assert.rejects(getMe({ client, throwOnError: true }), (thrown) => (thrown as { code: string }).code === 'unauthenticated');
});
