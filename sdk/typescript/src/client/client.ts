import { type Client, type Config, createClient as createGenerated } from '../gen/client/index.js';
import { toNimbusError } from './error.js';

/**
 * A client of one server, to be passed to the operations: `listProjects({ client })`. Every call throws a `NimbusError`
 * unless it gets what it asked for; with `throwOnError: false` in a call, that call returns `{ data, error }` instead.
 *
 * @param config `baseUrl`, and whatever every request shares: `headers`, `fetch`, `auth`, `signal`
 */
export function createClient(config: Omit<Config, 'throwOnError'> & { baseUrl: string }): Client {
  return withErrors(createGenerated({ ...config, throwOnError: true }));
}

const done = new WeakSet<Client>();

/** Makes a client throw NimbusErrors, and take text for text. Twice is as good as once. */
export function withErrors(client: Client): Client {
  if (!done.has(client)) {
    done.add(client);
    // Without an answer the generated client passes no response, whatever its types say.
    client.interceptors.error.use((thrown, response: Response | undefined) => toNimbusError(thrown, response));
    // Lines of JSON are the text that their type says; the generated client would make them a Blob.
    client.interceptors.response.use((response, _request, options) => {
      if (options.parseAs === 'auto' && response.headers.get('Content-Type')?.startsWith('application/x-ndjson')) options.parseAs = 'text';
      return response;
    });
  }
  return client;
}
