import { createProject, createSession, createWriteKey, items, listEvents, type Client, type StoredEvent } from '../../src/index.js';

/** A project of a new account, and its keys. */
export interface Tenant {
  client: Client;
  projectId: string;
  keyId: string;
  secret: string;
  writeKey: string;
}

export async function newTenant(baseUrl: string, origins: string[] = []): Promise<Tenant> {
  const session = createSession({ baseUrl });
  await session.register({ email: `${crypto.randomUUID()}@example.com`, password: 'Correct-Horse-7' });
  const { client } = session;
  const { data } = await createProject({ client, body: { name: 'Web shop' } });
  const path = { project_id: data.project.id };
  const { data: key } = await createWriteKey({ client, path, body: { allowed_origins: origins } });
  return { client, projectId: data.project.id, keyId: data.api_key_id, secret: data.api_key_secret, writeKey: key.key };
}

/** Every event of the project, oldest first. */
export async function stored({ client, projectId }: Tenant): Promise<StoredEvent[]> {
  const all: StoredEvent[] = [];
  for await (const event of items(listEvents, { client, query: { project_id: projectId, limit: 1000, order: 'asc' } })) all.push(event);
  return all;
}

/** Waits until something is so, asking again and again. */
export async function eventually<T>(ask: () => Promise<T> | T, good: (answer: T) => boolean, what: string): Promise<T> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const answer = await ask();
    if (good(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`${what} did not come; last: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Waits until the project has so many events. */
export async function arrived(tenant: Tenant, n: number): Promise<StoredEvent[]> {
  return eventually(() => stored(tenant), (events) => events.length >= n, `${n} events`);
}
