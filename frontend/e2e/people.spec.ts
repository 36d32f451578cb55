/** People and cohorts by clicks, on people so few that every number can be counted by hand. */
import { readFileSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { axe, violations, wcag } from './axe';
import { choose, expect, logIn, said, test, url } from './fixtures';
import { account, call, emailOf, join, project, send } from './seed';

const hour = 3_600_000;
const day = 24 * hour;
const noon = Math.floor(Date.now() / day) * day - 3 * day + 12 * hour;

/** Six users, of whom three bought, two of them twice; and a visitor. Of the first 4 a profile is known. */
function history() {
  const events: object[] = [];
  const add = (name: string, who: object, at: number, props: object = {}) => events.push({ name, ...who, ts: new Date(at).toISOString(), idempotency_key: `${events.length}`, props });
  for (let n = 1; n <= 6; n++) add('page_view', { user_id: `u${n}` }, noon + n * 60_000, { page: '/pricing', utm_source: n === 1 ? 'newsletter' : 'search' });
  for (const n of [1, 2, 3]) add('purchased', { user_id: `u${n}` }, noon + 10 * 60_000 + n * 1000, { amount: 10 * n });
  for (const n of [1, 2]) add('purchased', { user_id: `u${n}` }, noon + day + n * 1000, { amount: 100 * n });
  add('page_view', { anonymous_id: 'v1' }, noon + 2 * hour);
  return events;
}
const people = ['Ada Lovelace', 'Grace Hopper', 'Alan Turing', 'Barbara Liskov'];

interface Mine { projectId: string; secret: string; who: Record<string, string>; email: string }
async function shop(name: string): Promise<Mine> {
  const email = emailOf(name);
  const who = await account(url, email);
  const mine = { ...(await project(url, who, name)), who, email };
  await send(url, mine, history());
  const operations = people.map((full, i) => ({ op: 'set', user_id: `u${i + 1}`, idempotency_key: `p${i}`, props: { name: full, email: `${full.split(' ')[0]!.toLowerCase()}@example.com`, plan: i < 2 ? 'pro' : 'free', seats: i + 1 } }));
  await call(url, '/v1/people/operations', { project_id: mine.projectId, operations }, { 'X-API-Key': mine.secret });
  return mine;
}

const scan = (page: Page) => violations(axe(page).withTags([...wcag, 'best-practice']));

/** Chooses in the picker of this name, by typing. */
async function pick(page: Page, label: string | RegExp, text: string) {
  await page.getByRole('button', { name: label }).last().click();
  await choose(page, text);
}
const names = (page: Page) => page.locator('.rows .name').allInnerTexts().then((all) => all.sort());

test('people: found by e-mail and by conditions, with columns of choice, saved as a cohort', async ({ page }) => {
  const mine = await shop('people');
  await logIn(page, mine.email);
  await page.goto(`/projects/${mine.projectId}`);
  await page.getByRole('link', { name: 'People', exact: true }).click();
  await expect(page.locator('.page-head .badge')).toHaveText('7 people');
  await expect(page.getByRole('columnheader')).toContainText(['Person', 'plan', 'seats', 'Events']);

  await page.getByRole('searchbox', { name: 'Search people' }).fill('grace@');
  await expect(page.locator('.page-head .badge')).toHaveText('1 person');
  await expect(page).toHaveURL(/q=grace/);
  await page.reload(); // the address is the state
  await expect(page.locator('.rows .name')).toHaveText(['Grace Hopper']);
  await page.getByRole('searchbox', { name: 'Search people' }).fill('');
  await expect(page.locator('.page-head .badge')).toHaveText('7 people');

  // Who bought at least twice: the picker takes typing, and the number is a word of the sentence.
  await pick(page, /^Choose who/, 'did…');
  await pick(page, /^Event: /, 'purchased');
  await expect(page.locator('.page-head .badge')).toHaveText('3 people');
  await page.getByLabel('How often').selectOption('at least');
  await expect(page.locator('.page-head .badge')).toHaveText('2 people');
  expect(await names(page)).toEqual(['Ada Lovelace', 'Grace Hopper']);
  await page.getByLabel('What holds').selectOption('did not do');
  await expect(page.locator('.page-head .badge')).toHaveText('5 people');

  // And a property of the profile.
  await pick(page, /^Add a condition/, 'have a profile');
  const condition = page.locator('.popover');
  await condition.getByRole('button', { name: 'Add a condition' }).click();
  await condition.getByLabel('Property', { exact: true }).fill('plan');
  await condition.getByLabel('Value').fill('free');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Escape');
  await expect(page.locator('.page-head .badge')).toHaveText('2 people');
  expect(await names(page)).toEqual(['Alan Turing', 'Barbara Liskov']);
  expect(await scan(page)).toEqual([]);

  await page.getByRole('button', { name: 'Columns' }).click();
  await page.getByRole('checkbox', { name: 'seats' }).uncheck();
  await expect(page.getByRole('columnheader', { name: 'seats' })).toHaveCount(0);
  await page.keyboard.press('Escape');
  const file = page.waitForEvent('download');
  await page.getByRole('button', { name: 'CSV' }).click();
  const lines = readFileSync((await (await file).path())!, 'utf8').trim().split('\r\n');
  expect(lines[0]).toBe('user_id,anonymous_id,name,email,events,first_seen,last_seen,props.plan');
  expect(new Set(lines.slice(1).map((line) => line.split(',')[2]))).toEqual(new Set(['Alan Turing', 'Barbara Liskov'])); // in no order

  await page.getByRole('button', { name: 'Save as cohort' }).click();
  await page.getByRole('dialog').getByLabel('Name', { exact: true }).fill('Free, bought little');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Free, bought little' })).toBeVisible();
  await expect(page.locator('.size .num')).toHaveText('2');
});

test('a profile: props, touches, merged ids with their undo, and the timeline at the moment of a number', async ({ page }) => {
  const mine = await shop('profile');
  await logIn(page, mine.email);
  await page.goto(`/projects/${mine.projectId}/people?q=ada`);
  await page.locator('.rows tbody tr').click(); // all of the row is the link
  await expect(page.getByRole('heading', { level: 1, name: 'Ada Lovelace' })).toBeVisible();
  await expect(page.locator('.figures')).toContainText('Events3');
  await expect(page.getByRole('region', { name: 'Where from' })).toContainText('newsletter');
  await expect(page.locator('.session')).toHaveCount(2);

  // An event is looked up when it is opened.
  await page.locator('.session').last().getByRole('button', { name: /purchased/ }).click();
  await expect(page.locator('.details')).toContainText('"amount": 10');

  await page.getByRole('button', { name: 'Merge with another user' }).click();
  await page.getByLabel('User id of the other').fill('u6');
  await page.getByRole('button', { name: 'Merge', exact: true }).click();
  await expect(page.getByText('u6 is the same as u1')).toBeVisible();
  await expect(page.locator('.figures')).toContainText('Events4');
  expect(await scan(page)).toEqual([]);
  await page.getByRole('button', { name: 'Take apart' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Take apart' }).click();
  await said(page, 'u6 is a person of their own again.');
  await expect(page.locator('.figures')).toContainText('Events3');

  // The drawer behind a number leads to the very moment.
  await page.goto(`/projects/${mine.projectId}/insights?kind=funnel&steps=${encodeURIComponent(JSON.stringify([{ event: 'page_view' }, { event: 'purchased' }]))}&at=${encodeURIComponent(JSON.stringify({ step: 2 }))}`);
  await page.getByRole('dialog', { name: '3 people' }).getByRole('link', { name: 'u2' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Grace Hopper' })).toBeVisible();
  const moment = page.locator('.happened[aria-current]');
  await expect(moment).toContainText('purchased');
  await expect(moment).toBeFocused();

  await page.goto(`/projects/${mine.projectId}/people/a:v1`);
  await expect(page.getByRole('heading', { level: 1, name: 'Visitor v1' })).toBeVisible();
  await page.goto(`/projects/${mine.projectId}/people/nobody`);
  await expect(page.getByRole('heading', { level: 1, name: 'Nobody is called nobody' })).toBeVisible();
});

test('cohorts: a tree with its live size, a list from a file, and a deletion that says who uses it', async ({ page, browser }) => {
  const mine = await shop('cohorts');
  await logIn(page, mine.email);
  await page.goto(`/projects/${mine.projectId}/cohorts`);
  await page.getByRole('link', { name: 'New cohort' }).click();
  const size = page.locator('.size .num');
  await pick(page, /^Choose who/, 'one after another');
  await pick(page, /^Step 1: /, 'page_view');
  await pick(page, /^Step 2: /, 'purchased');
  await expect(size).toHaveText('3');
  await page.getByRole('button', { name: /^When: / }).click();
  await page.getByRole('button', { name: 'in the last 24 hours' }).click();
  await expect(size).toHaveText('0');
  await page.goBack(); // Back is undo
  await expect(size).toHaveText('3');
  // While a condition is incomplete the number before stays.
  await pick(page, /^Add a condition/, 'have a profile');
  await page.keyboard.press('Escape');
  await expect(page.getByText('Complete the conditions for a new number.')).toBeVisible();
  await expect(size).toHaveText('3');
  await page.getByRole('button', { name: 'Remove condition 2' }).click();
  expect(await scan(page)).toEqual([]);
  await page.getByRole('button', { name: 'Save…' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Buyers');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Buyers' })).toBeVisible();

  // A change is marked, and kept.
  await page.getByLabel('What holds').selectOption('did not do one after another');
  await expect(page.getByText('Unsaved changes')).toBeVisible();
  await expect(size).toHaveText('4');
  await page.getByRole('button', { name: 'Save changes' }).click();
  await expect(page.getByText('Unsaved changes')).toBeHidden();
  await expect(size).toHaveText('4');
  const file = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export CSV' }).click();
  const csv = readFileSync((await (await file).path())!, 'utf8');
  expect(csv.trim().split(/\r?\n/)).toHaveLength(5);

  // The file is a list of another cohort.
  await page.goto(`/projects/${mine.projectId}/cohorts/new`);
  await page.getByRole('button', { name: 'Fixed list' }).click();
  await page.locator('input[type=file]').setInputFiles({ name: 'buyers.csv', mimeType: 'text/csv', buffer: Buffer.from(csv) });
  await expect(page.getByLabel('Ids')).toHaveValue(/user_id/);
  await page.getByRole('button', { name: 'Save…' }).click();
  await page.getByLabel('Name', { exact: true }).fill('The list');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(size).toHaveText('4');
  await page.getByLabel('Ids').fill('u1\nnobody-yet');
  await page.getByRole('button', { name: 'Add to the list' }).click();
  await expect(page.getByText('1 of them belongs to nobody so far.')).toBeVisible();
  await expect(size).toHaveText('5');

  // One that another stands on says so before it goes.
  await page.goto(`/projects/${mine.projectId}/cohorts/new`);
  await pick(page, /^Choose who/, 'are in the cohort');
  await choose(page, 'Buyers'); // it is open already
  await page.getByRole('button', { name: 'Save…' }).click();
  await page.getByLabel('Name', { exact: true }).fill('On top');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('link', { name: 'All cohorts' }).click();
  const row = page.getByRole('row', { name: /Buyers/ }).filter({ has: page.getByRole('link', { name: 'Buyers' }) });
  await expect(row).toContainText('On top');
  expect(await scan(page)).toEqual([]);
  await page.getByRole('button', { name: 'Delete Buyers' }).click();
  await expect(page.getByRole('dialog')).toContainText('On top');
  await page.getByRole('button', { name: 'Delete all the same' }).click();
  await said(page, 'Buyers is deleted.');
  await expect(page.getByRole('link', { name: 'Buyers' })).toHaveCount(0);

  // A viewer looks, and is offered nothing to change.
  const viewer = emailOf('cohort.viewer');
  await join(url, mine, viewer, 'viewer');
  const shared = await browser.newPage();
  await logIn(shared, viewer);
  await shared.goto(`${url}/projects/${mine.projectId}/cohorts`);
  await expect(shared.getByText('You are a viewer of this project.')).toBeVisible();
  await expect(shared.getByRole('link', { name: 'New cohort' })).toHaveCount(0);
  await expect(shared.getByRole('button', { name: /^Delete/ })).toHaveCount(0);
  await shared.close();
});
