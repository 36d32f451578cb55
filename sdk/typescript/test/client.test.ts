import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { createClient, createSession, exportAudit, getMe, ingestEvents, items, listEvents, memoryStore, NimbusError, received, sign, signRequests } from '../src/index.js';

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
  return createClient({ baseUrl: `http://127.0.0.1:${port}` });
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

  const { data } = await ingestEvents({ client, body: { project_id: project, events: [{ name: 'page_view', props: { page: '/home' } }] } });
  assert.equal(data.accepted, 1);
});

test('a repeated query parameter is repeated in the URL, and the token is sent', async (t) => {
  const client = await connect(t, (req, _body, res) => {
    assert.equal(req.url, `/v1/events?project_id=${project}&name=a&name=b%26c&limit=2`);
    assert.equal(req.headers.authorization, 'Bearer tok');
    reply(res, 200, 'application/json', { items: [], next_cursor: null });
  });
  client.setConfig({ auth: (scheme) => (scheme.scheme === 'bearer' ? 'tok' : undefined) });

  const { data } = await listEvents({ client, query: { project_id: project, name: ['a', 'b&c'], limit: 2 } });
  assert.equal(data.next_cursor, null);
});

test('an error is the problem document, typed, thrown or returned', async (t) => {
  const problem = { type: '/docs/errors#unauthenticated', title: 'Unauthenticated', status: 401, detail: 'x', code: 'unauthenticated', request_id: 'r' };
  const client = await connect(t, (_req, _body, res) => {
    res.setHeader('Retry-After', '7');
    reply(res, 401, 'application/problem+json', problem);
  });

  await assert.rejects(getMe({ client }), (thrown) => {
    assert.ok(thrown instanceof NimbusError);
    assert.deepEqual([thrown.code, thrown.status, thrown.requestId, thrown.retryAfter, thrown.message], ['unauthenticated', 401, 'r', 7, 'x']);
    return true;
  });
  const { data, error, response } = await getMe({ client, throwOnError: false });
  assert.equal(data, undefined);
  assert.equal(error?.code, 'unauthenticated');
  assert.equal(response.status, 401);
});

test('what is not from Nimbus, and no answer at all, are errors of the same type', async (t) => {
  const client = await connect(t, (_req, _body, res) => reply(res, 502, 'text/html', '<h1>Bad Gateway</h1>'));
  await assert.rejects(getMe({ client }), (e) => e instanceof NimbusError && e.code === 'http_502' && e.status === 502);
  const gone = createClient({ baseUrl: 'http://127.0.0.1:1' });
  await assert.rejects(getMe({ client: gone }), (e) => e instanceof NimbusError && e.code === 'network_error' && e.cause instanceof TypeError);
  await assert.rejects(getMe({ client: gone, signal: AbortSignal.abort() }), { name: 'AbortError' });
});

test('lines of JSON are text, unless a call says otherwise', async (t) => {
  const lines = '{"id":1}\n{"id":2}\n';
  const client = await connect(t, (_req, _body, res) => void res.writeHead(200, { 'Content-Type': 'application/x-ndjson' }).end(lines));
  const path = { project_id: project };
  assert.equal((await exportAudit({ client, path })).data, lines);
  assert.ok(((await exportAudit({ client, path, parseAs: 'blob' })).data as unknown) instanceof Blob);
});

test('a list goes on to its last page, with the same filters', async (t) => {
  const asked: string[] = [];
  const client = await connect(t, (req, _body, res) => {
    asked.push(req.url ?? '');
    const last = req.url?.includes('cursor=c2');
    reply(res, 200, 'application/json', { items: [{ name: last ? 'second' : 'first' }], next_cursor: last ? null : 'c2' });
  });
  const names: string[] = [];
  for await (const event of items(listEvents, { client, query: { project_id: project, limit: 1 } })) names.push(event.name);
  assert.deepEqual(names, ['first', 'second']);
  assert.deepEqual(asked, [`/v1/events?project_id=${project}&limit=1`, `/v1/events?project_id=${project}&limit=1&cursor=c2`]);
});

test('an export goes on until there is no more for now, and tells where to go on later', async (t) => {
  const asked: string[] = [];
  const client = await connect(t, (req, _body, res) => {
    asked.push(req.url ?? '');
    const last = req.url?.includes('cursor=c2');
    reply(res, 200, 'application/json', { items: [], next_cursor: last ? null : 'c2', resume_cursor: last ? 'c3' : 'c2' });
  });
  const kept: (string | undefined)[] = [];
  for await (const page of received({ client, query: { project_id: project, cursor: 'c1' } })) kept.push(page.resume_cursor);
  assert.deepEqual(kept, ['c2', 'c3']);
  assert.deepEqual(asked, ['c1', 'c2'].map((c) => `/v1/events?project_id=${project}&cursor=${c}&order=received`));
});

/** A server whose access tokens are good until `expire` is called, and whose refresh tokens work once. */
function authServer() {
  const state = { generation: 1, refreshes: 0, down: false, onRefresh: async (): Promise<void> => undefined };
  const account = { id: project, email: 'a@example.com', created_at: '2026-01-01T00:00:00Z' };
  const tokens = () => ({ access_token: `a${state.generation}`, refresh_token: `r${state.generation}`, token_type: 'Bearer', expires_in: 3600, account });
  const refused = { type: 't', title: 'x', status: 401, detail: 'x', code: 'unauthenticated', request_id: 'r' };
  const handler = async (req: IncomingMessage, body: Buffer, res: ServerResponse) => {
    const token = (req.headers.authorization ?? '').replace('Bearer ', '');
    if (state.down) return reply(res, 503, 'application/problem+json', { ...refused, status: 503, code: 'unavailable' });
    switch (req.url) {
      case '/v1/auth/login':
        return reply(res, 200, 'application/json', tokens());
      case '/v1/auth/refresh':
        state.refreshes++;
        await state.onRefresh();
        if (token !== `r${state.generation}`) return reply(res, 401, 'application/problem+json', refused);
        state.generation++;
        return reply(res, 200, 'application/json', tokens());
      case '/v1/auth/logout':
        return void res.writeHead(204).end();
      default:
        if (token !== `a${state.generation}`) return reply(res, 401, 'application/problem+json', refused);
        return reply(res, 200, 'application/json', body.length ? JSON.parse(body.toString()) : account);
    }
  };
  return { state, handler, expire: () => state.generation++ };
}

test('calls that meet a 401 together refresh once, and are repeated with their bodies', async (t) => {
  const { state, handler } = authServer();
  const base = await connect(t, handler);
  const store = memoryStore();
  const session = createSession({ baseUrl: base.getConfig().baseUrl ?? '', store });
  await session.login({ email: 'a@example.com', password: 'x' });
  // The access token expires; the refresh token stays good.
  state.generation = 2;
  await store.set('r2');
  const events = [{ name: 'n' }];
  const answers = await Promise.all([getMe({ client: session.client }), ...Array.from({ length: 9 }, () => ingestEvents({ client: session.client, body: { project_id: project, events }, headers: { Authorization: 'Bearer a1' } }))]);
  assert.equal(state.refreshes, 1);
  assert.deepEqual(answers[1]?.data, { project_id: project, events });
  assert.equal(await store.get(), 'r3');
});

test('a session is taken up from its store; a refusal ends it, and a server that is away does not', async (t) => {
  const { state, handler, expire } = authServer();
  const base = await connect(t, handler);
  const store = memoryStore('r1');
  let ended = 0;
  const session = createSession({ baseUrl: base.getConfig().baseUrl ?? '', store, onEnd: () => ended++ });
  assert.equal((await session.resume())?.email, 'a@example.com');
  assert.equal(await session.accessToken(), 'a2');

  state.down = true;
  await assert.rejects(session.resume(), (e) => e instanceof NimbusError && e.status === 503);
  assert.equal(await store.get(), 'r2', 'nobody is logged out by an outage');
  state.down = false;

  expire();
  await assert.rejects(getMe({ client: session.client }), (e) => e instanceof NimbusError && e.status === 401);
  assert.equal(ended, 1);
  assert.equal(await store.get(), undefined);
});

test('logging out forgets the tokens even when the server cannot be reached', async (t) => {
  const { state, handler } = authServer();
  const base = await connect(t, handler);
  const store = memoryStore();
  const session = createSession({ baseUrl: base.getConfig().baseUrl ?? '', store });
  await session.login({ email: 'a@example.com', password: 'x' });
  state.down = true;
  await assert.rejects(session.logout(), NimbusError);
  assert.equal(await store.get(), undefined);
  assert.equal(await session.accessToken(), undefined);
});

test('a refresh that comes back after logging out, or in again, changes nothing any more', async (t) => {
  const { state, handler } = authServer();
  const base = await connect(t, handler);
  const store = memoryStore('r1');
  const session = createSession({ baseUrl: base.getConfig().baseUrl ?? '', store });
  for (const meanwhile of [() => session.logout(), () => session.login({ email: 'a@example.com', password: 'x' })]) {
    await store.set(`r${state.generation}`);
    let release = (): void => undefined;
    const arrived = new Promise<void>((resolve) => {
      state.onRefresh = () => {
        resolve();
        return new Promise((answer) => (release = answer));
      };
    });
    const resuming = session.resume();
    await arrived;
    await meanwhile();
    const kept = await store.get();
    release();
    assert.equal(await resuming, undefined);
    assert.equal(await store.get(), kept);
  }
});

test('a session of which another tab has logged out ends', async (t) => {
  const { handler, expire } = authServer();
  const base = await connect(t, handler);
  const baseUrl = base.getConfig().baseUrl ?? '';
  const store = memoryStore();
  let ended = 0;
  const [one, other] = [createSession({ baseUrl, store }), createSession({ baseUrl, store, onEnd: () => ended++ })];
  for (const session of [one, other]) await session.login({ email: 'a@example.com', password: 'x' });
  await one.logout();
  expire();
  await assert.rejects(getMe({ client: other.client }), (e) => e instanceof NimbusError && e.status === 401);
  assert.equal(ended, 1);
  assert.equal(await other.accessToken(), undefined);
});
