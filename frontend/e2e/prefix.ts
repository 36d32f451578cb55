/** A reverse proxy that has Nimbus below a path. Until the server does so itself, it also writes the base and the path of cookies. */
import { createServer, request, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo } from 'node:net';

export async function below(path: string, target: string): Promise<{ url: string; close: () => void }> {
  const { hostname, port } = new URL(target);
  const stripped = (url = '') => url.slice(path.length - 1);
  const isBelow = (req: IncomingMessage) => req.url?.startsWith(path) === true;
  const server = createServer((req, res) => {
    if (!isBelow(req)) return void res.writeHead(404).end(`outside ${path}: ${req.url}`);
    const { 'accept-encoding': _, ...headers } = req.headers;
    req.pipe(
      request({ hostname, port, method: req.method, path: stripped(req.url), headers }, (answer) => {
        const cookies = answer.headers['set-cookie']?.map((cookie) => cookie.replace(/Path=\//i, `Path=${path}`));
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () => {
          const isPage = answer.headers['content-type']?.startsWith('text/html') === true;
          const body = isPage ? Buffer.from(Buffer.concat(chunks).toString().replace('<base href="/" />', `<base href="${path}" />`)) : Buffer.concat(chunks);
          res.writeHead(answer.statusCode!, { ...answer.headers, ...(cookies && { 'set-cookie': cookies }), ...(isPage && { 'content-length': body.length }) }).end(body);
        });
      }),
    );
  });
  server.on('upgrade', (req, socket) => {
    if (!isBelow(req)) return void socket.destroy();
    const upstream = connect(Number(port), hostname, () => {
      const lines = req.rawHeaders.reduce<string[]>((all, _, i) => (i % 2 === 0 ? [...all, `${req.rawHeaders[i]}: ${req.rawHeaders[i + 1]}`] : all), []);
      upstream.write(`${req.method} ${stripped(req.url)} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on('error', () => socket.destroy());
    socket.on('error', () => upstream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
