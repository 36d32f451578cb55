/** Who may do what, and what was done: members, keys, the audit log, sessions; and what a page says when it has to wait. */
import { readFileSync } from 'node:fs';
import { expect, home, logIn, said, shop, test, url } from './fixtures';
import { account, call, emailOf, join, password, project, send } from './seed';

/** A project of its own with its owner, for a test that changes it. */
async function owned(name: string) {
  const email = emailOf(name);
  const who = await account(url, email);
  return { email, who, ...(await project(url, who, name)) };
}

test('a viewer sees what there is, and is told what he cannot do', async ({ page }) => {
  await logIn(page, `viewer.${shop.email}`);
  await page.goto(`${home}/settings`);
  await expect(page.getByText('You can see the settings.')).toBeVisible();
  await expect(page.getByLabel('Name')).toBeDisabled();
  await expect(page.getByRole('button', { name: 'Save' })).toHaveCount(0);
  await expect(page.getByRole('button', { name: 'Delete project…' })).toBeDisabled();

  await page.getByRole('link', { name: 'Keys', exact: true }).click();
  await expect(page.getByRole('row', { name: /checkout service/ })).toContainText('Send events');
  await expect(page.getByText('Only admins and owners of the project see its write keys.')).toBeVisible();
  await expect(page.getByRole('button', { name: /Create|Revoke|Edit|Rotate/ })).toHaveCount(0);

  await page.getByRole('link', { name: 'Members', exact: true }).click();
  await expect(page.getByRole('row', { name: new RegExp(`^${shop.email}`) })).toContainText('Owner');
  await expect(page.getByRole('button', { name: 'Leave project' })).toBeVisible();
  await expect(page.getByRole('button', { name: /Add|Remove/ })).toHaveCount(0);

  await page.getByRole('link', { name: 'Install', exact: true }).click();
  await page.getByRole('button', { name: 'Browser' }).click();
  await expect(page.getByText('Ask one of them for a write key.')).toBeVisible();

  await expect(page.getByRole('link', { name: 'Audit log' })).toHaveCount(0);
  await page.goto(`${home}/audit`);
  await expect(page.getByRole('heading', { name: 'Audit log: For admins and owners' })).toBeVisible();
  await expect(page.getByRole('alert')).toHaveCount(0);
});

test('a role that is taken away while the page is open is explained, and the page follows', async ({ page }) => {
  const mine = await owned('demoted');
  const helper = emailOf('helper');
  const { id: account_id } = await join(url, mine, helper, 'admin');
  await logIn(page, helper);
  await page.goto(`/projects/${mine.projectId}/settings`);
  await expect(page.getByLabel('Name')).toHaveValue('demoted');
  await fetch(`${url}/v1/projects/${mine.projectId}/members/${account_id}`, { method: 'PATCH', headers: { ...mine.who, 'Content-Type': 'application/json' }, body: '{"role":"viewer"}' });
  await page.getByLabel('Name').fill('Mine now');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Your role in this project does not allow that')).toBeVisible();
  await expect(page.getByText('You can see the settings.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Save' })).toHaveCount(0);
});

test('a member is invited, accepts, is promoted and removed; the last owner stays; the log has it all', async ({ page, browser }) => {
  const mine = await owned('team');
  const grace = emailOf('grace');
  await account(url, grace);
  await logIn(page, mine.email);
  await page.goto(`/projects/${mine.projectId}/members`);
  await expect(page.getByText('The only owner: a project always has one.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Leave project' })).toHaveCount(0);

  // Who is invited gets a link, which he opens in a browser of his own.
  await page.getByLabel('Email').fill(grace);
  await page.getByRole('button', { name: 'Make a link' }).click();
  await expect(page.getByRole('row', { name: new RegExp(grace) })).toContainText('Viewer');
  const invited = (await page.getByText(/\/invitation#ni_/).textContent())!;
  const hers = await (await browser.newContext()).newPage();
  await hers.goto(invited);
  await expect(hers.getByText('To the project “team”, as Viewer.')).toBeVisible();
  await hers.getByRole('link', { name: 'Log in' }).click();
  await hers.getByLabel('Email').fill(grace);
  await hers.getByLabel('Password').fill(password);
  await hers.getByRole('button', { name: 'Log in' }).click();
  await hers.getByRole('button', { name: `Accept as ${grace}` }).click();
  await expect(hers).toHaveURL(new RegExp(`/projects/${mine.projectId}`));
  await hers.goto(invited);
  await expect(hers.getByText('This link was used, was withdrawn or has expired.')).toBeVisible();
  await hers.context().close();
  await page.reload();

  // Refused by the server: the choice goes back to what is true.
  const role = page.getByLabel(`Role of ${grace}`);
  await page.route('**/members/*', (route) => route.fulfill({ status: 503, json: { code: 'database_unavailable', title: 'The database is away', status: 503, detail: 'Nothing was changed.', type: '', request_id: '01REQUEST' } }), { times: 1 });
  await role.selectOption('owner');
  await expect(page.getByRole('alert').filter({ hasText: 'Nothing was changed.' })).toContainText('01REQUEST');
  await expect(role).toHaveValue('viewer');
  await role.selectOption('owner');
  await said(page, `${grace} is now Owner.`);
  await role.selectOption('admin');
  await said(page, `${grace} is now Admin.`);
  await page.getByRole('button', { name: `Remove ${grace}` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await said(page, `${grace} was removed.`);

  await page.getByRole('link', { name: 'Audit log' }).click();
  const rows = page.locator('.audit tbody tr');
  await expect(rows).toHaveCount(6);
  await expect(rows.first()).toContainText('Member removed');
  await expect(rows.first()).toContainText(mine.email);
  await page.getByLabel('What').selectOption('member.update');
  await expect(page).toHaveURL(/action=member.update/);
  await expect(rows).toHaveCount(2);
  await expect(rows.first()).toContainText('role: owner → admin');
  await page.reload();
  await expect(rows).toHaveCount(2);
  await rows.first().getByRole('button', { name: /^Show the entry/ }).click();
  const entry = page.getByRole('dialog', { name: 'Role changed' });
  await expect(entry).toContainText('127.0.0.1');
  await expect(page).toHaveURL(/entry=/);
  // Its link opens it for whoever looks at other entries.
  const link = new URL(page.url());
  link.searchParams.set('action', 'member.add');
  await page.goto(link.href);
  await expect(entry).toContainText('127.0.0.1');
  await page.keyboard.press('Escape');
  await expect(entry).toBeHidden();
  await page.getByLabel('What').selectOption('member.update');
  await expect(rows).toHaveCount(2);

  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export' }).click();
  const lines = readFileSync(await (await saved).path(), 'utf8').trimEnd().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { action: string }).action)).toEqual(['member.update', 'member.update']);
});

test('an API key is made, used, renamed and revoked', async ({ page }) => {
  const mine = await owned('lifecycle');
  await logIn(page, mine.email);
  await page.goto(`/projects/${mine.projectId}/keys`);
  await page.getByRole('button', { name: 'Create API key' }).click();
  const dialog = page.getByRole('dialog', { name: 'Create API key' });
  await dialog.getByLabel('Name').fill('worker');
  await dialog.getByLabel('Read metrics').check();
  await dialog.getByLabel('Expires').selectOption('30');
  await dialog.getByRole('button', { name: 'Create API key' }).click();

  const made = page.getByRole('dialog', { name: 'Your new API key' });
  await page.keyboard.press('Escape'); // the secret cannot be shown again: it does not go by accident
  const secret = await made.getByTestId('secret').innerText();
  await send(url, { ...mine, secret }, [{ name: 'from_the_worker' }]);
  await made.getByRole('button', { name: 'I have stored it' }).click();

  const row = page.getByRole('row', { name: /worker|robot/ });
  await expect(row).toContainText('Send events');
  await expect(row).toContainText('Read metrics');
  await expect(row).toContainText(mine.email);
  await expect(row).toContainText('in 30 days');

  await row.getByRole('button', { name: 'Edit worker' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('robot');
  await page.getByRole('dialog').getByLabel('Expires').selectOption('7');
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await expect(row).toContainText('robot');
  await expect(row).toContainText('in 7 days');

  await row.getByRole('button', { name: 'Revoke robot' }).click();
  await page.getByRole('dialog', { name: 'Revoke robot?' }).getByRole('button', { name: 'Revoke' }).click();
  await expect(row).toHaveCount(0);
  await expect(send(url, { ...mine, secret }, [{ name: 'too_late' }])).rejects.toThrow('401');
  expect(await page.content()).not.toContain(secret);
});

test('sessions are listed and ended; this one goes on', async ({ page }) => {
  const mine = await owned('sessions');
  const logInElsewhere = () => call<{ access_token: string }>(url, '/v1/auth/login', { email: mine.email, password });
  await logInElsewhere();
  await logIn(page, mine.email);
  await page.goto('/account');
  const sessions = page.locator('.lines li');
  await expect(sessions).toHaveCount(3);
  await expect(sessions.filter({ hasText: 'This session' })).toHaveCount(1);
  await sessions.filter({ hasNotText: 'This session' }).first().getByRole('button', { name: /^End the session/ }).click();
  await expect(sessions).toHaveCount(2);
  await page.getByRole('button', { name: 'End all others' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'End all others' }).click();
  await expect(sessions).toHaveCount(1);
  await page.reload();
  await expect(sessions).toHaveCount(1);
  await expect(sessions).toContainText('This session');
  // Who leaves is not told that the session has ended, nor expected back where he was.
  await page.getByRole('button', { name: 'Log out' }).click();
  await expect(page).toHaveURL(/\/login$/);
});

test('settings that another page has changed meanwhile stay as it left them', async ({ page, context }) => {
  const mine = await owned('settings');
  await logIn(page, mine.email);
  const other = await context.newPage();
  for (const one of [page, other]) {
    await one.goto(`/projects/${mine.projectId}/settings`);
    await expect(one.getByLabel('Keep events')).toHaveValue('0');
  }
  await page.getByLabel('Keep events').selectOption('365');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove older events' }).click();
  await said(page, 'Saved.');
  await other.getByLabel('Description').fill('Only this');
  const saved = other.waitForResponse((r) => r.request().method() === 'PATCH');
  await other.getByRole('button', { name: 'Save', exact: true }).click();
  await saved;
  await page.reload();
  await expect(page.getByLabel('Description')).toHaveValue('Only this');
  await expect(page.getByLabel('Keep events')).toHaveValue('365');
  await expect(other.getByLabel('Keep events')).toHaveValue('365');
});

test('a server that asks to wait is asked again when it said, and the page counts down', async ({ page }) => {
  await logIn(page);
  let refused = 0;
  await page.route(/\/v1\/insights\/trends/, (route) => (refused++ < 1 ? route.fulfill({ status: 429, headers: { 'Retry-After': '2' }, json: { code: 'rate_limited', title: 'Too many requests', status: 429, detail: 'Wait.', type: '', request_id: '01LIMIT' } }) : route.continue()));
  await page.goto(`${home}/explore`);
  await said(page, 'Nimbus asks to slow down.');
  await expect(page.locator('.plot svg .line path').first()).toBeVisible();
  await expect(page.getByText('Nimbus asks to slow down.')).toBeHidden();
});

test('a device that goes offline says so, and goes on by itself', async ({ page, context }) => {
  await logIn(page);
  await page.goto(home);
  await expect(page.locator('.bars li').first()).toBeVisible();
  await context.setOffline(true);
  await expect(page.getByText('This device is offline.')).toBeVisible();
  await context.setOffline(false);
  await said(page, 'Nimbus is back.');
  await expect(page.getByText('This device is offline.')).toBeHidden();
});

test('one project of many is found by its name, in the switcher and in the list', async ({ page }) => {
  const mine = await owned('many');
  for (let i = 1; i <= 205; i += 41) await Promise.all(Array.from({ length: 41 }, (_, n) => project(url, mine.who, `Customer ${i + n}`)));
  await logIn(page, mine.email);
  // The oldest is on the second page of the list, and still opens by its address.
  await page.goto(`/projects/${mine.projectId}/settings`);
  await expect(page.getByLabel('Name')).toHaveValue('many');
  await page.getByRole('button', { name: 'Project: many' }).click();
  await expect(page.getByText(/^1\d\d more\. Type to narrow them down\.$/)).toBeVisible();
  await page.keyboard.type('customer 20');
  await expect(page.locator('.palette li')).toHaveCount(7); // 20 and 200 to 205
  await page.getByRole('option', { name: 'Customer 203' }).click();
  await expect(page.getByRole('heading', { name: 'Customer 203' })).toBeVisible();
  await page.goto('/projects');
  await page.getByLabel('Find a project').fill('many');
  await expect(page.getByRole('row', { name: /many/ })).toBeVisible();
});

test('the button of an identity provider is there when the server has one', async ({ page }) => {
  await page.goto('/login?next=/account&error=oidc_denied');
  await expect(page.getByText('The identity provider did not let you in.')).toBeVisible();
  await expect(page.getByRole('link', { name: /^Log in with/ })).toHaveCount(0);
  await page.route('**/v1/auth/methods', (route) => route.fulfill({ json: { password: true, oidc: { enabled: true, name: 'Example Ltd' } } }));
  await page.reload();
  await expect(page.getByRole('link', { name: 'Log in with Example Ltd' })).toHaveAttribute('href', '/v1/auth/oidc/login?return_to=%2Faccount');
});

test('a project has a calendar and a currency of its own, and its questions follow', async ({ page }) => {
  const mine = await owned('calendar');
  await logIn(page, mine.email);
  await page.goto(`/projects/${mine.projectId}/settings`);
  await page.getByLabel('Time zone').selectOption('Asia/Tokyo');
  await page.getByLabel('Weeks begin on').selectOption('Sunday');
  await page.getByLabel('Currency').selectOption('NPR');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await said(page, 'Saved.');
  const { time_zone, week_start, currency } = (await (await fetch(`${url}/v1/projects/${mine.projectId}`, { headers: mine.who })).json()) as Record<string, unknown>;
  expect({ time_zone, week_start, currency }).toEqual({ time_zone: 'Asia/Tokyo', week_start: 'sunday', currency: 'NPR' });

  await page.getByRole('link', { name: 'Insights', exact: true }).click();
  await expect(page).toHaveURL(/tz=Asia%2FTokyo/);
  // Somebody may look at it by a clock of their own.
  await page.goto('/account');
  await page.getByLabel('Time zone').selectOption('Europe/London');
  await page.goto(`/projects/${mine.projectId}`);
  await page.getByRole('link', { name: 'Insights', exact: true }).click();
  await expect(page).toHaveURL(/tz=Europe%2FLondon/);
});
