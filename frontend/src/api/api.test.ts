import { createProject, listProjects, NimbusError } from '@nimbus-analytics/sdk';
import { afterEach, expect, it, vi } from 'vitest';
import { connection, queryClient, readiness, sentAgain, session } from './index';
import { freshKey, keepSecret } from '../secret';

const sessionOf = (name: string, token: string) => Response.json({ access_token: token, token_type: 'Bearer', expires_in: 3600, account: { id: name, email: `${name}@example.com` } });
const problem = (status: number, code: string, headers = {}) => Response.json({ type: '', title: code, status, detail: code, code, request_id: '' }, { status, headers });

/** A server: what it answers to a path, and what it was asked. */
function serve(answers: Record<string, (request: Request) => Response>) {
  const asked: string[] = [];
  vi.stubGlobal('fetch', async (input: RequestInfo | URL, init?: RequestInit) => {
    const request = new Request(input, init);
    const path = new URL(request.url).pathname;
    asked.push(`${path} ${request.headers.get('Authorization') ?? '-'}`);
    await request.text();
    return answers[path]!(request);
  });
  return asked;
}
const logInAs = async (name: string, answers: Parameters<typeof serve>[0]) => {
  serve({ '/v1/auth/login': () => sessionOf(name, `${name} 1`) });
  await session.login({ email: '', password: '' });
  return serve(answers);
};
const expired = (request: Request) => (request.headers.get('Authorization')?.endsWith(' 1') ? problem(401, 'token_expired') : Response.json({ project: { id: 'p' } }, { status: 201 }));
const made = { project: { id: 'p' }, api_key_id: 'k', api_key_secret: 'ns_x' } as never;

afterEach(async () => {
  connection.set(false);
  serve({ '/v1/auth/logout': () => new Response(null, { status: 204 }) });
  await session.logout();
  vi.unstubAllGlobals();
});

it('asks again with a new token when the old one ran out', async () => {
  const asked = await logInAs('ada', { '/v1/projects': expired, '/v1/auth/refresh': () => sessionOf('ada', 'ada 2') });
  keepSecret(made);
  await createProject({ body: { name: 'x' } });
  expect(asked).toEqual(['/v1/projects Bearer ada 1', '/v1/auth/refresh -', '/v1/projects Bearer ada 2']);
  expect(freshKey('p')?.secret).toBe('ns_x');
});
it('does nothing as another account that logged in meanwhile, and shows it nothing of the one before', async () => {
  const asked = await logInAs('ada', { '/v1/projects': expired, '/v1/auth/refresh': () => sessionOf('eve', 'eve 2') });
  queryClient.setQueryData(['of ada'], 1);
  keepSecret(made);
  await expect(createProject({ body: { name: 'x' } })).rejects.toThrow(NimbusError);
  expect(asked).toEqual(['/v1/projects Bearer ada 1', '/v1/auth/refresh -']);
  expect(session.account()?.id).toBe('eve');
  expect([queryClient.getQueryData(['of ada']), freshKey('p')]).toEqual([undefined, undefined]);
});
it('keeps no secret for whoever logs in next', async () => {
  await logInAs('ada', { '/v1/auth/logout': () => new Response(null, { status: 204 }) });
  keepSecret(made);
  await session.logout();
  expect(freshKey('p')).toBeUndefined();
});
it('tries a password that was wrong once', async () => {
  const asked = await logInAs('ada', { '/v1/auth/password': () => problem(401, 'invalid_credentials') });
  await expect(session.changePassword({ current_password: 'x', new_password: 'y' })).rejects.toMatchObject({ code: 'invalid_credentials' });
  expect(asked).toEqual(['/v1/auth/password Bearer ada 1']);
});

/** What is asked of a server that gives one answer, until the question fails. */
const refusals = (answer: () => Response) => {
  const asked = serve({ '/v1/projects': answer });
  return queryClient.fetchQuery({ queryKey: ['x'], queryFn: () => listProjects() }).then(() => [], () => asked);
};
it.each(['timeout', 'busy', 'too_many_streams'])('takes %s for the answer of a server that is there', async (code) => {
  expect(await refusals(() => problem(503, code, { 'Retry-After': '0' }))).toHaveLength(1);
  expect(connection.isAway()).toBe(false);
});
it.each(['database_unavailable', 'shutting_down', 'a proxy'])('asks again after %s, and then says that Nimbus is away', async (code) => {
  const page = () => new Response('<h1>503</h1>', { status: 503, headers: { 'Content-Type': 'text/html', 'Retry-After': '0' } });
  expect(await refusals(code === 'a proxy' ? page : () => problem(503, code, { 'Retry-After': '0' }))).toHaveLength(2);
  expect(connection.isAway()).toBe(true);
});
it('sends a change again after a lost answer only when it is still done once', () => {
  const lost = new NimbusError({ status: 503, code: 'database_unavailable' });
  const byItself = queryClient.getDefaultOptions().mutations!.retry as typeof sentAgain.retry;
  expect([sentAgain.retry(0, lost), byItself(0, lost)]).toEqual([true, false]);
});
it('hears what is wrong from a server that is not ready', async () => {
  const health = { status: 'unavailable', checks: { database: { status: 'ok' }, ingest: { status: 'failed' } } };
  serve({ '/v1/health': () => Response.json(health, { status: 503 }) });
  expect(await readiness()).toEqual(health);
  serve({ '/v1/health': () => new Response('<h1>503</h1>', { status: 503, headers: { 'Content-Type': 'text/html' } }) });
  await expect(readiness()).rejects.toMatchObject({ status: 503 });
});
