const encoder = new TextEncoder();

/**
 * The signature of a request: lower-case hex HMAC-SHA256, keyed with the secret, of `{timestamp}:{METHOD}:{path}:{body}`.
 *
 * Send it as `X-Api-Signature`, with the same `timestamp` as `X-Api-Timestamp` and the key's id as `X-Api-Key-Id`.
 * Rejects when the secret is empty, because WebCrypto takes no empty key.
 *
 * @param secret the project's secret, as it was shown
 * @param timestamp Unix seconds; the server refuses one more than 300 s from its own clock
 * @param method the HTTP method, in any case
 * @param path the path as the server sees it, from `/v1` on (percent-encoded), without the query
 * @param body the exact bytes sent, compressed if they are; text is signed as UTF-8
 */
export async function sign(secret: string, timestamp: number, method: string, path: string, body: string | Uint8Array): Promise<string> {
  const head = encoder.encode(`${timestamp}:${method.toUpperCase()}:${path}:`);
  const tail = typeof body === 'string' ? encoder.encode(body) : body;
  const message = new Uint8Array(head.length + tail.length);
  message.set(head);
  message.set(tail, head.length);

  const key = await crypto.subtle.importKey('raw', encoder.encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  const mac = new Uint8Array(await crypto.subtle.sign('HMAC', key, message));
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Who signs, and by which clock. */
export interface SigningOptions {
  /** The id of the project's key pair, `nk_…`. */
  keyId: string;
  /** The secret of the pair, `ns_…`. It belongs on servers only: whoever has it can write to the project. */
  secret: string;
  /** Milliseconds since 1970, like `Date.now`, which is the default. */
  now?: () => number;
}

/**
 * A request interceptor that signs every request:
 *
 * ```ts
 * client.interceptors.request.use(signRequests({ keyId, secret }));
 * ```
 *
 * Add it after every interceptor that changes the body or the path: it signs what it is given. The body is read into
 * memory for that. The path of the client's `baseUrl` is not signed: a proxy takes it off before the server sees it.
 */
export function signRequests(options: SigningOptions): (request: Request, config?: { baseUrl?: unknown }) => Promise<Request> {
  const now = options.now ?? Date.now;
  return async (request, { baseUrl } = {}) => {
    const timestamp = Math.floor(now() / 1000);
    const body = new Uint8Array(await request.clone().arrayBuffer());
    const before = typeof baseUrl === 'string' && baseUrl ? new URL(baseUrl, request.url).pathname.replace(/\/$/, '') : '';
    const path = new URL(request.url).pathname.slice(before.length);
    const signature = await sign(options.secret, timestamp, request.method, path, body);
    request.headers.set('X-Api-Key-Id', options.keyId);
    request.headers.set('X-Api-Timestamp', String(timestamp));
    request.headers.set('X-Api-Signature', signature);
    return request;
  };
}
