import { expect, logIn, pick, test, url } from './fixtures';
import { account, call, emailOf, join, project, send } from './seed';

test('a question is saved, put on a board, and seen by a viewer who cannot change it', async ({ page, browser }) => {
  const email = emailOf('boards');
  const viewer = emailOf('viewer');
  const who = await account(url, email);
  const mine = await project(url, who, 'Boards');
  await join(url, { ...mine, who }, viewer, 'viewer');
  await send(url, mine, [{ name: 'purchased', props: { amount: 20, country: 'DE' } }, { name: 'purchased', props: { amount: 5, country: 'FR' } }]);
  await logIn(page, email);
  const home = `/projects/${mine.projectId}`;

  await page.goto(`${home}/reports`);
  await page.getByRole('link', { name: 'Ask a question' }).click();
  await page.getByLabel('Measure of Series A').selectOption('sum');
  await pick(page, /^Property of Series A: /, 'amount');
  await pick(page, /^Break down by: /, 'country');
  await page.getByRole('button', { name: 'Save…' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Revenue');
  await page.getByLabel('Description').fill('By country, without refunds');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Revenue', level: 1 })).toBeVisible();
  await expect(page).toHaveURL(/report=/);

  // A change is marked; it can be taken back, kept, or kept as another report.
  const changed = page.getByText('Unsaved changes');
  await expect(changed).toBeHidden();
  await page.getByRole('button', { name: 'Bars' }).click();
  await expect(changed).toBeVisible();
  await page.getByRole('link', { name: 'Discard changes' }).click();
  await expect(changed).toBeHidden();
  await expect(page.getByRole('button', { name: 'Line', exact: true })).toHaveAttribute('aria-pressed', 'true');
  await page.getByRole('button', { name: 'Bars' }).click();
  await page.getByRole('button', { name: 'Save changes' }).click();
  await expect(changed).toBeHidden();
  await pick(page, /^Break down by: /, 'Nothing');
  await page.getByRole('button', { name: 'Number', exact: true }).click();
  await page.getByRole('button', { name: 'Save as new…' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Total');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Total', level: 1 })).toBeVisible();

  await page.getByRole('link', { name: 'Boards', exact: true }).click();
  await page.getByRole('button', { name: 'New board' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Monday');
  await page.getByRole('button', { name: 'Create board' }).click();
  const add = page.getByLabel('Add an insight');
  await add.selectOption('Revenue');
  await add.selectOption('Total');
  await page.getByRole('group', { name: 'Width of Total' }).getByRole('button', { name: 'Full' }).click();
  const names = page.locator('.board h2');
  await expect(names).toHaveText(['Revenue', 'Total']);
  await page.getByRole('button', { name: 'Move Total up' }).focus();
  await page.keyboard.press('Enter');
  await expect(names).toHaveText(['Total', 'Revenue']);
  await expect(page.getByText('Total is now number 1 of 2.')).toBeAttached();
  await page.locator('.grip').nth(1).dragTo(page.locator('.board > section').first());
  await expect(names).toHaveText(['Revenue', 'Total']);
  await page.getByRole('button', { name: 'Move Total up' }).click();
  await page.getByRole('link', { name: 'Overview' }).click(); // asks first, and the answer here is no
  await expect(names).toHaveText(['Total', 'Revenue']);
  await page.getByRole('button', { name: 'Save board' }).click();
  await expect(page.getByRole('button', { name: 'Edit' })).toBeVisible();
  await expect(page.locator('.board .big .num')).toHaveText(['25', '25']);

  const shared = await browser.newPage();
  await logIn(shared, viewer);
  await shared.goto(page.url());
  await expect(shared.locator('.board h2')).toHaveText(['Total', 'Revenue']);
  const width = async (name: string) => (await shared.locator('.board > section', { has: shared.getByRole('heading', { name }) }).boundingBox())!.width;
  expect(await width('Total')).toBeGreaterThan(1.9 * (await width('Revenue')));
  await expect(shared.locator('.board .big .num')).toHaveText(['25', '25']);
  await expect(shared.locator('.plot svg rect').first()).toBeAttached();
  await expect(shared.getByText('You are a viewer of this project.')).toBeVisible();
  await expect(shared.getByRole('button', { name: 'Edit' })).toHaveCount(0);
  await shared.getByRole('link', { name: 'Revenue' }).click();
  await expect(shared.getByRole('heading', { name: 'Revenue', level: 1 })).toBeVisible();
  await expect(shared.getByRole('button', { name: /Save/ })).toHaveCount(0);
  await shared.close();

  // One tile that fails leaves the others alone. (With a 503 the page would try again by itself, before anyone can.)
  await page.route('**/v1/insights/trends', (route) => (route.request().postData()!.includes('breakdown') ? route.fulfill({ status: 500, json: { code: 'internal', title: 'Not now', status: 500, detail: 'A fault.', type: '', request_id: 'r1' } }) : route.continue()));
  await page.reload();
  await expect(page.locator('.board > section').nth(1).getByRole('alert')).toContainText('Not now');
  await expect(page.locator('.board > section').first().locator('.big .num')).toHaveText('25');
  await page.unrouteAll();
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page.locator('.board .big .num')).toHaveText(['25', '25']);

  await page.goto(`${home}/reports`);
  // A deletion can be undone for a while, and is done when the page is left.
  const revenue = page.getByRole('link', { name: 'Revenue' });
  await page.getByRole('button', { name: 'Delete Revenue' }).click();
  await expect(revenue).toBeHidden();
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(revenue).toBeVisible();
  await page.getByRole('button', { name: 'Delete Revenue' }).click();
  await expect(revenue).toBeHidden();
  await page.goto(`${home}/boards`);
  const left = async () => ((await (await fetch(`${url}/v1/projects/${mine.projectId}/insights`, { headers: who })).json()) as { items: { name: string }[] }).items.map((r) => r.name);
  await expect.poll(left).toEqual(['Total']);
  await page.getByRole('link', { name: /Monday/ }).click();
  await expect(page.locator('.board h2')).toHaveText(['Total']);
});

test('of two who change a board or a report, the second is told, and chooses', async ({ page, browser }) => {
  const [ada, ben] = [emailOf('ada'), emailOf('ben')];
  const who = await account(url, ada);
  const mine = await project(url, who, 'Two');
  await join(url, { ...mine, who }, ben, 'admin');
  const at = `/v1/projects/${mine.projectId}`;
  const ids: string[] = [];
  for (const name of ['One', 'Two', 'Three']) ids.push((await call<{ id: string }>(url, `${at}/insights`, { name, question: { kind: 'metrics', tz: 'UTC' }, view: { chart: 'number' } }, who)).id);
  const board = await call<{ id: string }>(url, `${at}/boards`, { name: 'Both', tiles: [{ kind: 'insight', insight_id: ids[0], x: 0, y: 0, w: 6, h: 4 }] }, who);
  await logIn(page, ada);
  const other = await browser.newPage();
  await logIn(other, ben);
  const path = `/projects/${mine.projectId}/boards/${board.id}?edit=true`;
  const names = page.locator('.board h2');

  await page.goto(path);
  await page.getByLabel('Add an insight').selectOption('Two');
  // A tile that is taken off comes back to its place.
  await page.getByRole('button', { name: 'Take One off the board' }).click();
  await expect(names).toHaveText(['Two']);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(names).toHaveText(['One', 'Two']);

  await other.goto(url + path);
  await other.getByLabel('Add an insight').selectOption('Three');
  await other.getByRole('button', { name: 'Save board' }).click();
  await expect(other.getByRole('button', { name: 'Edit' })).toBeVisible();

  await page.getByRole('button', { name: 'Save board' }).click();
  await expect(page.getByText(`${ben} changed this meanwhile.`)).toBeVisible();
  await expect(names).toHaveText(['One', 'Two']);
  const [seen] = await Promise.all([page.waitForEvent('popup'), page.getByRole('link', { name: 'See the other version' }).click()]);
  await expect(seen.locator('.board h2')).toHaveText(['One', 'Three']);
  await seen.close();
  await page.getByRole('button', { name: 'Save mine over it' }).click();
  await expect(page.getByRole('button', { name: 'Edit' })).toBeVisible();
  await expect(names).toHaveText(['One', 'Two']);

  await other.getByRole('button', { name: 'Edit' }).click();
  await other.getByRole('button', { name: 'Take Three off the board' }).click();
  await other.getByRole('button', { name: 'Save board' }).click();
  await expect(other.getByText(`${ada} changed this meanwhile.`)).toBeVisible();
  await other.getByRole('button', { name: 'Load the other version' }).click();
  await expect(other.locator('.board h2')).toHaveText(['One', 'Two']);

  await page.goto(`/projects/${mine.projectId}/reports/${ids[0]}`);
  await expect(page.getByRole('heading', { name: 'One', level: 1 })).toBeVisible();
  await page.getByRole('button', { name: 'Bars' }).click();
  const changed = await fetch(`${url}${at}/insights/${ids[0]}`, { method: 'PATCH', headers: { ...who, 'Content-Type': 'application/json' }, body: JSON.stringify({ name: 'First' }) });
  expect(changed.status).toBe(200);
  await page.getByRole('button', { name: 'Save changes' }).click();
  await expect(page.getByText(`${ada} changed this meanwhile.`)).toBeVisible();
  await expect(page.getByRole('heading', { name: 'First', level: 1 })).toBeVisible();
  await page.getByRole('button', { name: 'Save mine over it' }).click();
  await expect(page.getByText('Unsaved changes')).toBeHidden();
  await other.close();
});

test('text and sizes of tiles stay as they were arranged, and an insight of another kind says that it is one', async ({ page }) => {
  const email = emailOf('tiles');
  const who = await account(url, email);
  const mine = await project(url, who, 'Tiles');
  const at = `/v1/projects/${mine.projectId}`;
  await call(url, `${at}/insights`, { name: 'Visits', question: { kind: 'metrics', tz: 'UTC' }, view: { chart: 'number' } }, who);
  await call(url, `${at}/insights`, { name: 'To buy', question: { kind: 'uniques', from: '2026-01-01T00:00:00Z', to: '2026-02-01T00:00:00Z' } }, who);
  const board = await call<{ id: string }>(url, `${at}/boards`, { name: 'Sizes' }, who);
  await logIn(page, email);
  await page.goto(`/projects/${mine.projectId}/boards/${board.id}?edit=true`);

  await page.getByRole('button', { name: 'Add text' }).click();
  await page.getByLabel('Text 1, in Markdown').fill('# Growth\n\n**Every** week. <script>alert(1)</script> [more](https://example.com)');
  await page.getByLabel('Add an insight').selectOption('Visits');
  await page.getByLabel('Add an insight').selectOption('To buy');
  await page.getByRole('group', { name: 'Width of Visits' }).getByRole('button', { name: 'Third' }).click();
  await page.getByRole('group', { name: 'Height of Visits' }).getByRole('button', { name: 'Tall' }).click();
  await page.getByRole('button', { name: 'Save board' }).click();
  await expect(page.getByRole('heading', { name: 'Growth', level: 2 })).toBeVisible();
  await expect(page.locator('.words strong')).toHaveText('Every');
  await expect(page.locator('.words')).toContainText('<script>alert(1)</script>');
  await expect(page.getByRole('link', { name: 'more' })).toHaveAttribute('rel', /noopener/);
  await expect(page.getByText('People: boards cannot draw')).toBeVisible();
  const kept = (await (await fetch(`${url}${at}/boards/${board.id}`, { headers: who })).json()) as { tiles: { kind: string; x: number; y: number; w: number; h: number }[] };
  expect(kept.tiles.map((t) => `${t.kind} ${t.x},${t.y} ${t.w}x${t.h}`)).toEqual(['text 0,0 12x2', 'insight 0,2 4x6', 'insight 6,2 6x4']);

  await page.goto(`/projects/${mine.projectId}/reports`);
  await expect(page.getByRole('row', { name: /To buy/ })).toContainText('People');
  await expect(page.getByRole('link', { name: 'To buy' })).toHaveCount(0);
});

test('a board draws every kind of question, and lays its range and its conditions over them', async ({ page }) => {
  const email = emailOf('kinds');
  const who = await account(url, email);
  const mine = await project(url, who, 'Kinds');
  const at = `/v1/projects/${mine.projectId}`;
  const day = 86_400_000;
  const did = (name: string, user_id: string, days: number, props: object) => ({ name, user_id, ts: new Date(Date.now() - days * day).toISOString(), idempotency_key: `${name} ${user_id} ${days}`, props });
  const people = ['v1', 'v2', 'v3', 'v4'];
  await send(url, mine, [...people.map((id, i) => did('visit', id, 20, { country: i < 2 ? 'DE' : 'FR' })), ...people.slice(0, 3).map((id, i) => did('buy', id, 19, { amount: 10 * (i + 1), country: i < 2 ? 'DE' : 'FR' })), did('visit', 'v1', 1, { country: 'DE' }), did('refund', 'v1', 1, {})]);
  const range = { from: new Date(Date.now() - 29 * day).toISOString(), to: new Date(Date.now() + day).toISOString(), tz: 'UTC' };
  const questions = {
    Revenue: { kind: 'trends', series: [{ event: 'buy', measure: 'sum', prop: 'amount' }], bucket: '1d' },
    Refunds: { kind: 'trends', series: [{ event: 'refund' }], bucket: '1d' },
    Buying: { kind: 'funnel', steps: [{ event: 'visit' }, { event: 'buy' }] },
    Returning: { kind: 'retention', start: {}, return: {} },
    Growth: { kind: 'lifecycle' }, Habit: { kind: 'stickiness' }, Ways: { kind: 'paths' }, Visits: { kind: 'sessions' },
  };
  const tiles = [];
  for (const [i, [name, question]] of Object.entries(questions).entries()) {
    const { id } = await call<{ id: string }>(url, `${at}/insights`, { name, question: { ...question, ...range }, view: { range: '30d', chart: 'bar' } }, who);
    tiles.push({ kind: 'insight', insight_id: id, x: 6 * (i % 2), y: 4 * Math.floor(i / 2), w: 6, h: 4 });
  }
  const board = await call<{ id: string }>(url, `${at}/boards`, { name: 'All', tiles }, who);
  await logIn(page, email);
  await page.setViewportSize({ width: 1280, height: 2600 }); // all of them in sight
  await page.goto(`/projects/${mine.projectId}/boards/${board.id}`);
  const tile = (name: string) => page.locator('.board > section', { has: page.getByRole('heading', { name }) });
  const number = (name: string) => tile(name).locator('.num').first();
  for (const name of Object.keys(questions)) await expect(tile(name).locator('.plot svg').first(), name).toBeVisible();
  await expect(number('Revenue')).toHaveText('60');
  await expect(number('Buying')).toHaveText('75%');
  await expect(number('Visits')).toHaveText('8');

  // Conditions lie over each tile whose events can fit them; the others say that they are not filtered.
  await page.getByRole('button', { name: /^Conditions of the board: / }).click();
  await page.getByRole('button', { name: 'Add a condition' }).click();
  const where = page.getByRole('group', { name: 'Where' });
  await where.getByLabel('Property').fill('country');
  await where.getByLabel('Value').fill('DE');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Escape');
  await expect(number('Revenue')).toHaveText('30');
  await expect(number('Buying')).toHaveText('100%');
  await expect(tile('Refunds')).toContainText('Not filtered: its events do not all have country');
  await expect(number('Refunds')).toHaveText('1');
  await page.getByRole('combobox', { name: 'Range' }).selectOption('7d');
  await expect(tile('Revenue')).toContainText('Nothing in this range.');
  await expect(number('Visits')).toHaveText('1');
  await page.reload(); // the address has both
  await expect(tile('Visits')).toContainText('country is DE · Last 7 days');

  // A number leads to the people behind it, in the range and with the conditions of the board.
  await page.getByRole('combobox', { name: 'Range' }).selectOption('');
  await tile('Buying').getByRole('button', { name: '2 people: reached buy. See the people' }).click();
  await expect(page.getByRole('dialog', { name: '2 people' }).locator('tbody a')).toHaveText(['v1', 'v2']);
  await expect(page.getByRole('heading', { name: 'Buying', level: 1 })).toBeAttached();
});
