// The tracker in a program of Node: when the program ends, and what it is told.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createTracker } from '../src/index.js';

const run = promisify(execFile);
const sdk = new URL('../src/index.js', import.meta.url).href;

/** Runs a program that has a tracker, to its end, which has to come by itself. */
async function program(baseUrl: string, code: string, options = '{}') {
  const text = `import { createTracker } from '${sdk}';
    const lost = [];
    process.on('exit', () => console.log(JSON.stringify([tracker.stats(), lost])));
    const tracker = createTracker({ baseUrl: '${baseUrl}', projectId: 'p', writeKey: 'nw', onDrop: (event, reason) => lost.push(reason.code), ...${options} });
    ${code}`;
  const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', text], { timeout: 20_000, cwd: fileURLToPath(new URL('.', import.meta.url)) });
  return { out: JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as [{ delivered: number; dropped: number }, string[]], said: stderr };
}

/** A server that takes everything. */
async function accepting(status = 200, body?: string): Promise<{ url: string; close: () => void }> {
  const server = createServer((req, res) => {
    let text = '';
    req.on('data', (part) => (text += String(part)));
    req.on('end', () => {
      const { events } = JSON.parse(text) as { events: unknown[] };
      res.writeHead(status, { 'Content-Type': 'application/json' }).end(body ?? JSON.stringify({ accepted: events.length, duplicates: 0, rejected: 0, errors: [] }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** An address that refuses connections. */
async function nobody(): Promise<string> {
  const server = await accepting();
  server.close();
  return server.url;
}

const fill = "for (let n = 0; n < 5; n++) void tracker.track('e', { n });";

test('a program that ends without close ends though the server is away, and says what it lost', async () => {
  const { out, said } = await program(await nobody(), fill, '{ exitTimeoutMs: 300 }');
  assert.deepEqual([out[0].dropped, out[1]], [5, ['closed', 'closed', 'closed', 'closed', 'closed']]);
  assert.match(said, /network_error/);
  assert.match(said, /5 events dropped: closed/);
});

test('a program that ends without close sends what waits', async (t) => {
  const server = await accepting();
  t.after(server.close);
  const { out, said } = await program(server.url, `${fill} tracker.track('e', {}, { userId: 42 });`, '{ flushIntervalMs: 60000 }');
  assert.deepEqual([out[0].delivered, out[1], said], [6, [], '']);
});

test('a program that awaits close, flush or room in the queue does not end before', async () => {
  const close = await program(await nobody(), `${fill} const left = await tracker.close({ timeoutMs: 500 }); if (left.length !== 5) throw new Error('left ' + left.length);`);
  assert.equal(close.out[0].dropped, 5);
  for (const code of ['await tracker.flush({ signal: AbortSignal.timeout(500) }).catch(() => undefined);', "await tracker.track('e', {}, { signal: AbortSignal.timeout(500) }).catch(() => undefined);"]) {
    const { out } = await program(await nobody(), `${fill} ${code} lost.push('awaited');`, "{ onFull: 'block', maxQueueEvents: 5, maxBatchEvents: 100, exitTimeoutMs: 0 }");
    assert.equal(out[1][0], 'awaited', JSON.stringify(out));
  }
});

test('many trackers are no leak of listeners', async (t) => {
  const server = await accepting();
  t.after(server.close);
  const { said } = await program(server.url, "for (let n = 0; n < 20; n++) createTracker({ baseUrl: 'http://127.0.0.1:1', projectId: 'p', writeKey: 'nw' });");
  assert.equal(said, '');
});

test('the console is told once of each reason, and of everything in debug mode', async (t) => {
  const wrong = "track('', {}); tracker.track('', {}); tracker.track('e', 'text'); tracker.track('e', { a: 10n });".replace('track', 'tracker.track');
  const server = await accepting();
  t.after(server.close);
  const quiet = await program(server.url, `${wrong} tracker.track('fine'); await tracker.close();`);
  assert.deepEqual(quiet.said.trim().split('\n').map((line) => line.split(':').slice(0, 3).join(':')), [
    'nimbus: invalid_event: name',
    'nimbus: invalid_event: props',
    'nimbus: invalid_event: TypeError',
  ]);
  const page = await accepting(404, 'default backend - 404');
  t.after(page.close);
  const away = await program(page.url, `${fill} await tracker.close({ timeoutMs: 500 });`, '{ retryBaseMs: 1 }');
  assert.match(away.said, /^nimbus: http_404: no answer of Nimbus from http:\/\/127\.0\.0\.1:\d+\/v1\/events; attempt 2 in \d+ ms\nnimbus: 5 events dropped: closed: not delivered in time\n$/);
});

test('debug mode says that an event was stored', async (t) => {
  const server = await accepting();
  t.after(server.close);
  const text = `import { createTracker } from '${sdk}'; const t = createTracker({ baseUrl: '${server.url}', projectId: 'p', writeKey: 'nw', debug: true }); t.track('e'); await t.close();`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', text]);
  assert.match(stdout, /^nimbus: {"name":"e",.*}\nnimbus: 1 events stored\n$/);
});

test('an answer of any size is not read to its end', async () => {
  let sent = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      sent += 65_536;
      controller.enqueue(new Uint8Array(65_536).fill(32));
    },
  });
  const answers = [new Response(endless), Response.json({ accepted: 1, duplicates: 0, rejected: 0, errors: [] })];
  const tracker = createTracker({ baseUrl: 'http://nimbus.example', projectId: 'p', writeKey: 'nw', retryBaseMs: 1, fetch: async () => answers.shift() as Response });
  await tracker.track('e');
  await tracker.close();
  assert.deepEqual([tracker.stats().delivered, tracker.stats().retries], [1, 1]);
  assert.ok(sent < 1_000_000, `${sent} bytes were read`);
});

test('the queue is bounded by bytes, too, and what does not fit is an error, or waits, or is the oldest', async () => {
  const options = { baseUrl: 'http://nimbus.example', projectId: 'p', writeKey: 'nw', maxQueueBytes: 5000, flushIntervalMs: 60_000 };
  const text = 'x'.repeat(2000);
  const dropped: unknown[] = [];
  const oldest = createTracker({ ...options, onDrop: (event) => dropped.push(event.props?.['n']) });
  for (let n = 0; n < 4; n++) await oldest.track('e', { n, text });
  assert.deepEqual([dropped, oldest.stats().waiting], [[0, 1], 2]);
  const strict = createTracker({ ...options, onFull: 'error' });
  for (let n = 0; n < 2; n++) await strict.track('e', { n, text });
  await assert.rejects(strict.track('e', { text }), { code: 'queue_full' });
  await strict.track('small');
  await Promise.all([oldest, strict].map((tracker) => tracker.close({ timeoutMs: 0 })));
});

test('a server without its scheme is a mistake that is named', () => {
  assert.throws(() => createTracker({ baseUrl: 'nimbus.example.com', projectId: 'p', writeKey: 'nw' }), /baseUrl is nimbus\.example\.com, and must be like https:\/\//);
});
