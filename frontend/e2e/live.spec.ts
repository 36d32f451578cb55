import { join } from 'node:path';
import { Gate } from '../../sdk/typescript/test/support/gate';
import { expect, logIn, test, url } from './fixtures';
import { account, emailOf, project, send } from './seed';
import { start } from './server';

const row = '.window .event';

test('the live page: an event appears, waits while it is paused, is filtered and opened', async ({ page }) => {
  const email = emailOf('live');
  const mine = await project(url, await account(url, email), 'Live');
  await logIn(page, email);
  await page.goto(`/projects/${mine.projectId}/live`);
  const status = page.getByRole('status').filter({ hasText: /Live|Paused|Connecting/ });
  await expect(status).toHaveText('Live');
  await expect(page.getByText('Listening for events')).toBeVisible();
  await send(url, mine, [{ name: 'signed_up', user_id: 'ada', props: { plan: 'pro' } }]);
  await expect(page.locator(row)).toContainText(['signed_up']);
  await expect(page.locator('.rate')).not.toHaveText('0 events/s');

  await page.getByRole('button', { name: 'Pause' }).click();
  await send(url, mine, [{ name: 'while_paused' }, { name: 'purchased', user_id: 'ada' }]);
  await expect(status).toHaveText('Paused, 2 waiting');
  await expect(page.locator(row)).toHaveCount(1);
  await page.getByRole('button', { name: 'Resume' }).click();
  await expect(page.locator(row)).toHaveCount(3);
  await expect(page.locator(row).last()).toContainText('signed_up');

  await page.locator(row).last().locator('.cell').first().click();
  await expect(page.getByRole('dialog', { name: 'signed_up' })).toContainText('"plan": "pro"');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toBeHidden();

  await page.getByLabel('Only these events').fill('purchased');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/live\?name=/);
  await expect(status).toHaveText('Live');
  // The list begins with what was there before.
  await expect(page.locator(row)).toContainText(['ada']);
  await send(url, mine, [{ name: 'signed_up' }, { name: 'purchased', user_id: 'bob' }]);
  await expect(page.locator(row)).toContainText(['bob', 'ada']);
  await expect(page.locator(row)).toHaveCount(2);
});

test('the live page goes on after the server was away, and says what it may have missed', async ({ page }) => {
  const gate = await Gate.open();
  const email = emailOf('live-away');
  const dataDir = join(process.env['NIMBUS_E2E_DIR']!, email);
  const binary = process.env['NIMBUS_E2E_BIN']!;
  const first = await start(binary, dataDir, gate);
  const mine = await project(first.url, await account(first.url, email), 'Away');
  await logIn(page, email, first.url);
  await page.goto(`${first.url}/projects/${mine.projectId}/live`);
  const status = page.locator('.page-head').getByRole('status');
  await expect(status).toHaveText('Live');
  await send(first.url, mine, [{ name: 'before' }]);
  await expect(page.locator(row)).toContainText(['before']);
  await first.stop();
  await expect(status).toHaveText('Reconnecting…');

  const second = await start(binary, dataDir, gate);
  try {
    await expect(status).toHaveText('Live');
    await send(second.url, mine, [{ name: 'after' }]);
    await expect(page.locator(row).first()).toContainText('after');
    await expect(page.locator(row).nth(1)).toContainText('missed here');
    await expect(page.locator(row).last()).toContainText('before');
    await page.getByRole('link', { name: 'Look in Events' }).click();
    await expect(page.locator(row)).toContainText(['after']);
  } finally {
    await second.stop();
    gate.close();
  }
});

test('the overview counts what comes, as it comes', async ({ page }) => {
  const email = emailOf('counter');
  const mine = await project(url, await account(url, email), 'Counter');
  await logIn(page, email);
  await page.goto(`/projects/${mine.projectId}`);
  await expect(page.getByText('No events yet')).toBeVisible();
  await send(url, mine, [{ name: 'first' }]);
  await expect(page.getByTestId('recent')).toHaveText('1');
  await expect(page.locator('.live-link')).toHaveText('Live');
  await send(url, mine, [{ name: 'second' }, { name: 'third' }]);
  await expect(page.getByTestId('recent')).toHaveText('3');
});
