/** An account with a project and two weeks of events that look like those of a shop; the same in every run. */
export const password = 'Correct-Horse-7';

export interface Shop {
  email: string;
  projectId: string;
  secret: string;
  reportId: string;
  boardId: string;
}

export async function call<T>(url: string, path: string, body: unknown, headers: Record<string, string> = {}): Promise<T> {
  const response = await fetch(url + path, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

/** An address that nobody has: a test that is run again finds nothing of the last time. */
export const emailOf = (name: string) => `${name}.${crypto.randomUUID().slice(0, 8)}@example.com`;

/** An account of its own for a test that changes it. */
export async function account(url: string, email: string) {
  const { access_token } = await call<{ access_token: string }>(url, '/v1/auth/register', { email, password });
  return { Authorization: `Bearer ${access_token}` };
}

export async function project(url: string, who: Record<string, string>, name: string) {
  const made = await call<{ project: { id: string }; api_key_secret: string }>(url, '/v1/projects', { name }, who);
  return { projectId: made.project.id, secret: made.api_key_secret };
}

/** Makes an account of this address a member, as people become members: by an invitation that it accepts. */
export async function join(url: string, mine: { projectId: string; who: Record<string, string> }, email: string, role: string) {
  const { access_token, account: { id } } = await call<{ access_token: string; account: { id: string } }>(url, '/v1/auth/register', { email, password });
  const { token } = await call<{ token: string }>(url, `/v1/projects/${mine.projectId}/invitations`, { role }, mine.who);
  await call(url, '/v1/invitations/accept', { token }, { Authorization: `Bearer ${access_token}` });
  return { id };
}

export async function send(url: string, shop: { projectId: string; secret: string }, events: object[]) {
  await call(url, '/v1/events', { project_id: shop.projectId, events }, { 'X-API-Key': shop.secret });
}

export async function seed(url: string, email = 'ada@example.com'): Promise<Shop> {
  const who = await account(url, email);
  const shop = { email, ...(await project(url, who, 'Web shop')) };
  const at = (path: string) => `/v1/projects/${shop.projectId}/${path}`;
  await join(url, { ...shop, who }, `viewer.${email}`, 'viewer');
  await join(url, { ...shop, who }, `admin.${email}`, 'admin');
  await call(url, at('api-keys'), { name: 'checkout service', scopes: ['events:write'] }, who);
  await call(url, at('api-keys'), { name: 'nightly report', scopes: ['events:read', 'metrics:read'], expires_at: new Date(Date.now() + 60 * 86_400_000).toISOString() }, who);
  await call(url, at('write-keys'), { allowed_origins: ['https://shop.example.com'] }, who);
  const kept = await reports(url, who, shop.projectId);
  let state = 7;
  const random = () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647;
  const pick = <T>(...of: T[]) => of[Math.floor(random() * of.length)]!;
  const events: object[] = [];
  const now = Date.now();
  for (let day = 29; day >= 0; day--) {
    const visits = 14 + Math.round(10 * random()) + (day % 7 < 2 ? 0 : 9);
    for (let visit = 0; visit < visits; visit++) {
      let ts = now - day * 86_400_000 - random() * 3_600_000 * 10;
      const user_id = `user_${1 + Math.floor(random() * 120)}`;
      const shared = { country: pick('DE', 'DE', 'FR', 'US', 'GB'), plan: pick('free', 'free', 'pro', 'team') };
      const add = (name: string, props: object = {}) => {
        events.push({ name, user_id, ts: new Date(ts).toISOString(), idempotency_key: `seed-${events.length}`, props: { ...shared, ...props } });
        ts += 20_000 + random() * 120_000;
      };
      for (let views = 1 + Math.floor(random() * 4); views > 0; views--) add('page_view', { page: pick('/', '/pricing', '/docs', '/blog'), duration_ms: Math.round(100 + random() * 900) });
      if (random() < 0.4) add('search', { results: Math.floor(random() * 30) });
      if (random() < 0.15) add('signed_up');
      if (random() < 0.2) add('purchased', { amount: Math.round(500 + random() * 9500) / 100 });
    }
  }
  await send(url, shop, events.filter((e) => Date.parse((e as { ts: string }).ts) < now));
  return { ...shop, ...kept };
}

/** A board as a shop would have it: every way to draw, both widths. */
async function reports(url: string, who: Record<string, string>, projectId: string) {
  const save = async (name: string, description: string, question: object, view: object) =>
    (await call<{ id: string }>(url, `/v1/projects/${projectId}/insights`, { name, description, question: { kind: 'metrics', tz: 'UTC', ...question }, view }, who)).id;
  const monthly = { bucket: '1d', limit: 30 };
  const ids = [
    await save('Events of the month', 'Everything the shop sends', monthly, { chart: 'area', compare: true }),
    await save('Revenue by country', 'Sum of amount, without refunds', { ...monthly, names: ['purchased'], measure: 'sum', prop: 'amount', breakdown: 'prop', breakdown_prop: 'country' }, { chart: 'bar' }),
    await save('Buyers this week', '', { bucket: '1d', limit: 7, names: ['purchased'], measure: 'users' }, { chart: 'number', compare: true }),
    await save('What people do', '', { ...monthly, breakdown: 'name' }, { chart: 'table' }),
    await save('Visitors by plan', '', { bucket: '1w', limit: 5, measure: 'users', breakdown: 'prop', breakdown_prop: 'plan' }, { chart: 'line' }),
  ];
  const tiles = [
    { kind: 'text', text: '## Growth\n\nWhat we look at **first**: see [the handbook](https://example.com).', x: 0, y: 0, w: 12, h: 2 },
    ...ids.map((insight_id, i) => ({ kind: 'insight', insight_id, ...(i === 0 ? { x: 0, y: 2, w: 12 } : { x: 6 * ((i - 1) % 2), y: 2 + 4 * Math.ceil(i / 2), w: 6 }), h: 4 })),
  ];
  const board = await call<{ id: string }>(url, `/v1/projects/${projectId}/boards`, { name: 'Monday morning', description: 'What we look at before the week begins', tiles }, who);
  return { reportId: ids[1]!, boardId: board.id };
}
