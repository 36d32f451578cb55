// A web server that tracks what its visitors do. Stopped with Ctrl-C or SIGTERM it first delivers what it has tracked.
import { createServer } from 'node:http';
import { createTracker } from '@nimbus-analytics/sdk';

const { NIMBUS_URL = 'http://127.0.0.1:8080', NIMBUS_PROJECT_ID, NIMBUS_KEY_ID, NIMBUS_SECRET, PORT = '3000' } = process.env;

const tracker = createTracker({
  baseUrl: NIMBUS_URL,
  projectId: NIMBUS_PROJECT_ID,
  keyId: NIMBUS_KEY_ID,
  secret: NIMBUS_SECRET,
  // Never a silent loss: say what was refused or given up.
  onReject: (event, errors) => console.error('rejected', event.name, errors),
  onDrop: (event, reason) => console.error('dropped', event.name, reason),
});

const server = createServer((req, res) => {
  const url = new URL(req.url, 'http://localhost');
  const userId = url.searchParams.get('user') ?? undefined;
  if (req.method === 'POST' && url.pathname === '/orders') {
    // Returns at once; nobody's order waits for analytics.
    tracker.track('order_placed', { total: Number(url.searchParams.get('total') ?? 0) }, { userId });
    res.writeHead(201).end('ordered\n');
    return;
  }
  res.writeHead(404).end('POST /orders?user=user_123&total=9.90\n');
});
server.listen(Number(PORT), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    server.close();
    server.closeIdleConnections();
    const undelivered = await tracker.close({ timeoutMs: 10_000 });
    console.log(`tracked ${tracker.stats().tracked}, not delivered ${undelivered.length}`);
  });
}
