import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Gate } from '../../sdk/typescript/test/support/gate';
import { expect, home, logIn, pick, said, test, url } from './fixtures';
import { account, call, emailOf, password, project, send } from './seed';
import { start } from './server';

const curve = '.plot svg .line path';

test('from registering to the first chart, with the snippet as it is shown', async ({ page }) => {
  await page.goto('/');
  await page.getByRole('link', { name: 'Create account' }).click();
  await page.getByLabel('Email').fill(emailOf('new'));
  await page.getByLabel('Password').fill('short');
  await page.getByRole('button', { name: 'Create account' }).click();
  await expect(page.getByLabel('Password')).toHaveAttribute('aria-invalid', 'true');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Create account' }).click();

  await page.getByLabel('Name').fill('First shop');
  await page.getByRole('button', { name: 'Create project' }).click();
  await expect(page.getByTestId('secret')).toHaveText(/^ns_/);
  await expect(page.getByText('Waiting for your first event…')).toBeVisible();

  // The overview leads here and back: no dead end.
  await page.getByRole('link', { name: 'Overview' }).click();
  await page.getByRole('link', { name: 'Send the first event' }).click();

  const snippet = await page.locator('.code pre').innerText();
  expect(execFileSync('sh', ['-c', snippet]).toString()).toContain('"accepted":1');
  await expect(page.getByText('Your first event arrived: signed_up')).toBeVisible();
  await page.getByRole('link', { name: 'See the chart' }).click();
  await expect(page.locator(curve).first()).toBeAttached();
  await expect(page.locator('.big .num')).toHaveText('1');

  await page.reload();
  await expect(page.locator('.big .num')).toHaveText('1');
  expect(await page.evaluate(() => JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage), document.cookie]))).not.toMatch(/nr_|eyJ/);
});

test('names, properties and values are suggested, however rare they have become', async ({ page }) => {
  const email = emailOf('known');
  const mine = await project(url, await account(url, email), 'Known');
  await send(url, mine, [{ name: 'signed_up', props: { plan: 'pro', seats: 3, code: '02134' } }, { name: 'signed_up', props: { plan: 'free', code: '5' } }]);
  await send(url, mine, Array.from({ length: 600 }, () => ({ name: 'heartbeat', props: { ping: 1 } })));
  await logIn(page, email);
  await page.goto(`/projects/${mine.projectId}/explore`);
  const options = (of: string) => page.getByLabel(of, { exact: true }).evaluate((input: HTMLInputElement) => [...input.list!.options].map((o) => o.value));
  await page.getByRole('button', { name: /^Series A: / }).click();
  await expect(page.locator('.options .truncate')).toHaveText(['all events', 'heartbeat', 'signed_up']);
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: /^Conditions of the question: / }).click();
  await page.getByRole('button', { name: 'Add a condition' }).click();
  await expect.poll(() => options('Property')).toEqual(['code', 'ping', 'plan', 'seats']);
  const where = page.getByRole('group', { name: 'Where' });
  await where.getByLabel('Property').fill('code');
  await expect.poll(() => options('Value')).toEqual(['02134', '"5"']);
  await where.getByLabel('Property').fill('plan');
  await expect.poll(() => options('Value')).toEqual(['free', 'pro']);
});

test('a question is in its address: reloaded, shared and zoomed', async ({ page, browser }) => {
  await logIn(page);
  await page.goto(`${home}/explore?range=90d`); // further than the events reach: no day of theirs leaves the range meanwhile
  await expect(page.locator(curve).first()).toBeVisible();
  await pick(page, /^Series A: /, 'purchased');
  await page.getByLabel('Measure of Series A').selectOption('sum');
  await pick(page, /^Property of Series A: /, 'amount');
  await pick(page, /^Break down by: /, 'country');
  await page.getByRole('button', { name: /^Conditions of the question: / }).click();
  await page.getByRole('button', { name: 'Add a condition' }).click();
  const where = page.getByRole('group', { name: 'Where' });
  await where.getByLabel('Property').fill('plan');
  await where.getByLabel('Comparison').selectOption('in');
  await where.getByLabel('Value').fill('pro, team');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Escape');
  await page.getByLabel('Compare with').selectOption('before');
  await page.getByRole('button', { name: 'Bars' }).click();
  await expect(page).toHaveURL(/filter=.*plan.*chart=bar|chart=bar.*filter=.*plan/);
  await expect(page.getByRole('button', { name: 'Bars' })).toHaveAttribute('aria-pressed', 'true'); // the page is where its address is
  await expect(page.locator('.answer')).toHaveAttribute('aria-busy', 'false');
  await page.locator('.legend button').first().click();
  await expect(page).toHaveURL(/only=/);
  // The headline is of the one series that is shown.
  await expect(page.locator('.big')).toContainText(await page.locator('.legend button').first().innerText());
  const total = await page.locator('.big .num').innerText();
  expect(Number(total.replaceAll(',', ''))).toBeGreaterThan(0);

  const other = await browser.newPage();
  await logIn(other);
  await other.goto(page.url());
  await expect(other.locator('.big .num')).toHaveText(total);
  await expect(other.getByRole('button', { name: 'Bars' })).toHaveAttribute('aria-pressed', 'true');
  await expect(other.locator('.legend button').first()).toHaveAttribute('aria-pressed', 'true');
  await other.close();

  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'CSV' }).click();
  expect((await download).suggestedFilename()).toBe('nimbus-sum-of-amount-of-purchased-where-plan-is-one-of-pro-team-by-country.csv');
  const picture = page.waitForEvent('download');
  await page.getByRole('button', { name: 'PNG' }).click();
  expect((await picture).suggestedFilename()).toBe('nimbus-sum-of-amount-of-purchased-where-plan-is-one-of-pro-team-by-country.png');

  const plot = (await page.locator('.plot').boundingBox())!;
  await page.mouse.move(plot.x + plot.width * 0.4, plot.y + 80);
  await page.mouse.down();
  await page.mouse.move(plot.x + plot.width * 0.6, plot.y + 80, { steps: 4 });
  await page.mouse.up();
  await expect(page).toHaveURL(/from=.*to=/);
  await page.getByRole('button', { name: 'Zoom out' }).click();
  await expect(page).not.toHaveURL(/from=/);
  await expect(page).toHaveURL(/range=90d/);
  await expect(page.locator('.big .num')).toHaveText(total);
  await expect(page.getByRole('button', { name: 'Zoom out' })).toBeHidden();
});

test('a link that is understood in part says so', async ({ page }) => {
  await logIn(page);
  await page.goto(`${home}/explore?from=2026-11-01&to=2026-11-10`);
  const notice = page.getByText('Part of this link was not understood: from, to');
  await expect(notice).toBeVisible();
  await page.getByRole('button', { name: 'Close' }).click();
  await expect(notice).toBeHidden();
});

test('who forgot the password is told what to do, and who mistypes it gets no request id', async ({ page }) => {
  await page.goto('/login');
  await page.getByRole('link', { name: 'Forgot your password?' }).click();
  await page.getByLabel('Email').fill(emailOf('nobody'));
  await page.getByRole('button', { name: 'Send me a link' }).click();
  await expect(page.getByRole('alert')).toHaveText(/sends no mail\. Ask its operator/);
  await page.getByRole('link', { name: 'Log in' }).click();
  await page.getByLabel('Email').fill(emailOf('nobody'));
  await page.getByLabel('Password', { exact: true }).fill('Wrong-Password-1');
  await page.getByRole('button', { name: 'Log in', exact: true }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await expect(page.getByRole('alert')).not.toContainText('Request');
  await page.goto('/register');
  await page.getByLabel('Email').fill(emailOf('new'));
  await page.getByLabel('Password', { exact: true }).fill('onlyletters');
  await page.getByRole('button', { name: 'Create account' }).click();
  await expect(page.getByText(/^Password must .*\.$/)).toBeVisible();
  await expect(page.getByText('At least 8 characters')).toBeVisible();
});

test('events are found, opened and lead to their person', async ({ page }) => {
  await logIn(page);
  await page.goto(`${home}/events`);
  await expect(page.locator('.window .event').first()).toBeVisible();
  await page.getByLabel('Event', { exact: true }).fill('purchased');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/name=purchased/);
  await expect(page.locator('.window .event', { hasText: 'page_view' })).toHaveCount(0);
  // Several properties narrow the list down, and all that match go into a file.
  for (const prop of ['country=DE', 'plan=pro']) {
    await page.getByLabel('Property', { exact: true }).fill(prop);
    await page.keyboard.press('Enter');
    await expect(page.getByRole('button', { name: `Remove ${prop}` })).toBeVisible();
  }
  await expect(page.locator('.window .event').first()).toContainText('country=DE');
  await expect(page.locator('.window .event', { hasNotText: 'plan=pro' })).toHaveCount(0);
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'CSV' }).click();
  const lines = readFileSync(await (await download).path(), 'utf8').trim().split('\r\n');
  expect(lines[0]).toBe('ts,name,user_id,anonymous_id,id,received_at,props.amount,props.country,props.plan');
  expect(lines.slice(1).every((line) => line.includes(',purchased,user_') && line.endsWith(',DE,pro'))).toBe(true);
  await page.getByRole('button', { name: 'Clear conditions' }).click();
  // A person leads to the person; a row is one stop of the tab key.
  await expect(page.locator('.window .event a').first()).toHaveAttribute('href', /\/people\/user_/);
  expect(await page.locator('.window .event').first().locator(':is(a, button):not([tabindex="-1"])').count()).toBe(1);
  await page.getByLabel('Event', { exact: true }).fill('purchased');
  await page.keyboard.press('Enter');
  await expect(page.locator('.window .event', { hasText: 'page_view' })).toHaveCount(0);
  await page.locator('.window .event .cell').first().click();
  const drawer = page.getByRole('dialog', { name: 'purchased' });
  await expect(drawer).toContainText('"amount"');
  await page.reload();
  await expect(drawer).toContainText('"amount"');
  await drawer.getByRole('link', { name: 'See this person' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(/^user_/);
  await expect(page.locator('.session.found')).toContainText('purchased'); // it opens at the moment
});

test('until an answer is there, nothing passes for it', async ({ page }) => {
  const email = emailOf('slow');
  const who = await account(url, email);
  const [first, second] = [await project(url, who, 'First'), await project(url, who, 'Second')];
  await send(url, first, [{ name: 'seen' }, { name: 'seen' }, { name: 'bought' }]);
  await logIn(page, email);
  /** Keeps back the answers to what speaks of something, until it is told to let them go. */
  const keepBack = async (of: string) => {
    let release!: () => void;
    const released = new Promise<void>((resolve) => (release = resolve));
    await page.route(/\/v1\/(metrics|events)/, async (route, request) => {
      if (`${request.url()} ${request.postData()}`.includes(of)) await released;
      await route.fallback();
    });
    return release;
  };

  await page.goto(`/projects/${first.projectId}`);
  await expect(page.locator('.tile .num').first()).toHaveText('3');
  const letSecondGo = await keepBack(second.projectId);
  await page.getByRole('button', { name: 'Project: First' }).click();
  await page.getByRole('option', { name: 'Second' }).click();
  await expect(page.getByRole('heading', { name: 'Second', level: 1 })).toBeVisible();
  await expect(page.locator('.tile .num')).toHaveCount(0);
  letSecondGo();
  await expect(page.getByRole('link', { name: 'Send the first event' })).toBeVisible();

  await page.goto(`/projects/${first.projectId}/events`);
  await expect(page.locator('.page-head .num')).toHaveText('3 events');
  const letBoughtGo = await keepBack('name=bought');
  await page.getByLabel('Event', { exact: true }).fill('bought');
  await page.keyboard.press('Enter');
  const table = page.getByRole('table');
  await expect(table).toHaveAttribute('aria-busy', 'true');
  await expect(page.locator('.page-head .num')).toHaveCount(0);
  await expect(page.locator('p.foot')).toHaveText('Loading');
  letBoughtGo();
  await expect(table).toHaveAttribute('aria-busy', 'false');
  await expect(page.locator('.page-head .num')).toHaveText('1 events');
});

test('a thousand events scroll with few rows in the page', async ({ page }) => {
  await logIn(page);
  await page.goto(`${home}/events`);
  await expect(page.locator('.window .event').first()).toBeVisible();
  let most = 0;
  const loaded = async () => {
    await page.mouse.wheel(0, 6000);
    most = Math.max(most, await page.getByRole('table').locator('.event').count());
    return Number((await page.locator('.page-head .num').innerText()).replace(/\D/g, ''));
  };
  await expect.poll(loaded).toBeGreaterThan(200);
  expect(most).toBeLessThan(60);
});

test('a key is rotated, and the old one goes on for its grace', async ({ page }) => {
  const email = emailOf('keys');
  const mine = await project(url, await account(url, email), 'Keys');
  await logIn(page, email);
  await page.goto(`/projects/${mine.projectId}/keys`);
  await page.getByRole('button', { name: 'Rotate key' }).click();
  await page.getByLabel('The old key works for').selectOption('3600');
  await page.getByRole('dialog').getByRole('button', { name: 'Rotate key' }).click();
  const dialog = page.getByRole('dialog', { name: 'The new key' });
  await page.keyboard.press('Escape'); // the secret cannot be shown again: it does not go by accident
  const secret = await dialog.getByTestId('secret').innerText();
  await send(url, mine, [{ name: 'with_the_old_key' }]);
  await send(url, { ...mine, secret }, [{ name: 'with_the_new_key' }]);
  await dialog.getByRole('button', { name: 'I have stored it' }).click();
  await expect(dialog).toBeHidden();

  await page.getByRole('button', { name: 'Create write key' }).click();
  await page.getByLabel('Allowed websites').fill('not a website');
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await expect(page.getByLabel('Allowed websites')).toHaveAttribute('aria-invalid', 'true');
  await page.getByLabel('Allowed websites').fill('https://shop.example.com');
  await page.getByRole('dialog').getByLabel('Name').fill('Shop');
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await expect(page.locator('.write-key')).toContainText('Shop');
  await expect(page.locator('.write-key')).toContainText('https://shop.example.com');
  await expect(page.getByRole('dialog')).toBeHidden();

  await page.getByRole('link', { name: 'Settings', exact: true }).click();
  await page.getByRole('button', { name: 'Delete project…' }).click();
  const remove = page.getByRole('dialog').getByRole('button', { name: 'Delete project' });
  await expect(remove).toBeDisabled();
  await page.getByLabel('Type Keys to confirm').fill('Keys');
  await remove.click();
  await expect(page.getByRole('heading', { name: 'Create your first project' })).toBeVisible();
});

test('an access token that ran out is replaced once, and nobody notices', async ({ page }) => {
  await logIn(page);
  await page.goto(home);
  await expect(page.locator(curve).first()).toBeVisible();
  let refreshes = 0;
  page.on('request', (r) => (refreshes += r.url().endsWith('/v1/auth/refresh') ? 1 : 0));
  // The server's own answer to a token that ran out, for every token until the next refresh.
  let spent = true;
  await page.route(/\/v1\/(metrics|events|insights)/, (route) => (spent ? route.fulfill({ status: 401, json: { code: 'token_expired', title: 'Expired', status: 401, detail: '', type: '', request_id: '' } }) : route.continue()));
  await page.route('**/v1/auth/refresh', async (route) => {
    spent = false;
    await route.continue();
  });
  await page.getByRole('link', { name: 'Explore', exact: true }).first().click();
  await expect(page.locator(`.answer ${curve}`).first()).toBeVisible();
  expect(refreshes).toBe(1);
});

test('a session that was ended asks to log in, and leads back', async ({ page }) => {
  const email = emailOf('ended');
  const who = await account(url, email);
  const mine = await project(url, who, 'Ended');
  await logIn(page, email);
  await page.goto(`/projects/${mine.projectId}/settings`);
  await expect(page.getByLabel('Name')).toHaveValue('Ended');
  const changed = 'Another-Horse-8';
  await call(url, '/v1/auth/password', { current_password: password, new_password: changed }, who);
  await page.getByRole('link', { name: 'Events', exact: true }).click();
  await expect(page.getByText('Your session has ended.')).toBeVisible();
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password').fill(changed);
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page).toHaveURL(new RegExp(`${mine.projectId}/events`));
});

test('a server that goes away and comes back', async ({ page }) => {
  const gate = await Gate.open();
  const email = emailOf('away');
  const dataDir = join(process.env['NIMBUS_E2E_DIR']!, email);
  const binary = process.env['NIMBUS_E2E_BIN']!;
  const first = await start(binary, dataDir, gate);
  const mine = await project(first.url, await account(first.url, email), 'Away');
  await send(first.url, mine, [{ name: 'before' }]);
  await logIn(page, email, first.url);
  await page.goto(`${first.url}/projects/${mine.projectId}/explore?range=24h`);
  await expect(page.locator('.big .num')).toHaveText('1');
  await first.stop();
  await page.getByRole('button', { name: 'Look for new events' }).click();
  await expect(page.getByText('Nimbus cannot be reached.')).toBeVisible();

  const second = await start(binary, dataDir, gate);
  try {
    await said(page, 'Nimbus is back.');
    await expect(page.locator('.big .num')).toHaveText('1');
    await expect(page.getByText('Nimbus cannot be reached.')).toBeHidden();
  } finally {
    await second.stop();
    gate.close();
  }
});

test('everything is within reach of the keyboard', async ({ page }) => {
  await logIn(page);
  await page.goto(home);
  await expect(page.locator(curve).first()).toBeVisible();
  await page.keyboard.press('Control+k');
  await page.keyboard.type('purch');
  await expect(page.getByRole('dialog').getByText('purchased')).toBeVisible(); // the names are asked for as it opens
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/insights\?.*purchased/);
  await expect(page.getByRole('heading', { level: 1, name: 'Insights' })).toBeVisible(); // and the page before is gone
  await page.locator('.plot').focus();
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowLeft');
  await expect(page.locator('.chart [aria-live]')).toContainText('purchased');
  await page.keyboard.press('Escape');
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toBeHidden();
  await expect(async () => {
    await page.keyboard.press('g'); // and the next key soon
    await page.keyboard.press('e');
    await expect(page).toHaveURL(/\/events/, { timeout: 2000 });
  }).toPass();
});

test('keys that do something by themselves can be switched off', async ({ page }) => {
  await logIn(page);
  await page.goto('/account');
  const keys = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
  const single = page.getByRole('checkbox', { name: 'Shortcuts of single keys' });
  await single.uncheck();
  await page.getByRole('heading', { level: 1 }).click(); // away from the box, in which no key does anything
  await page.keyboard.press('?');
  await page.keyboard.press('Control+k'); // opens after what ? would have opened
  await expect(page.getByRole('dialog', { name: 'Commands' })).toBeVisible();
  await expect(keys).toBeHidden();
  await page.keyboard.press('Escape');
  await single.check();
  await page.getByRole('heading', { level: 1 }).click();
  await page.keyboard.press('?');
  await expect(keys).toBeVisible();
});
