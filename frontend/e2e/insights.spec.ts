/** Each kind of question by clicks, on events so few that their answers can be counted by hand. */
import type { Locator, Page } from '@playwright/test';
import { choose, expect, logIn, pick, said, test, url } from './fixtures';
import { account, call, emailOf, project, send } from './seed';

/** Ten visitors of three days ago. Six signed up an hour later, three of them bought an hour after that; three came back the next day, one the day after. */
const hour = 3_600_000;
const today = new Intl.DateTimeFormat('en-CA', { timeZone: 'Europe/Berlin' }).format(); // the zone of the browser
const noon = Date.parse(`${today}T12:00:00Z`) - 3 * 24 * hour;

function history() {
  const events: object[] = [];
  const add = (name: string, visitor: number, hours: number, props: object = {}) => events.push({ name, user_id: `v${visitor}`, ts: new Date(noon + hours * hour).toISOString(), idempotency_key: `${events.length}`, props: { source: visitor % 2 ? 'google' : 'direct', ...(visitor <= 6 && { company: visitor <= 4 ? 'acme' : 'beta' }), ...props } });
  for (let v = 1; v <= 10; v++) add('page_view', v, 0, { page: '/' });
  for (let v = 1; v <= 6; v++) add('sign_up', v, 1);
  for (let v = 1; v <= 3; v++) add('purchased', v, 2, { amount: 10 * v });
  for (const v of [1, 2, 7]) add('page_view', v, 24, { page: '/pricing' });
  add('page_view', 1, 48, { page: '/pricing' });
  return events;
}

let email = '';
let home = '';
test.beforeAll(async () => {
  email = emailOf('insights'); // here, because a worker runs this again when tests of another file came between
  const mine = await project(url, await account(url, email), 'Known');
  home = `/projects/${mine.projectId}`;
  await send(url, mine, history());
  // Of the ten, three pay, and one is of a free plan.
  const profiles = ['v1', 'v2', 'v3', 'v4'].map((user_id, i) => ({ op: 'set', user_id, props: { tier: i < 3 ? 'paying' : 'free' } }));
  await call(url, '/v1/people/operations', { project_id: mine.projectId, operations: profiles }, { 'X-API-Key': mine.secret });
});

async function open(page: Page, kind: string) {
  await logIn(page, email);
  await page.goto(home);
  await page.getByRole('link', { name: 'Insights', exact: true }).click();
  await page.getByRole('button', { name: kind, exact: true }).click();
}

/** The rows of a table, as texts. */
const cells = (page: Page, name: string | RegExp) => page.getByRole('group', { name }).getByRole('row').evaluateAll((rows) => rows.map((row) => [...row.querySelectorAll('td')].map((cell) => (cell as HTMLElement).innerText.trim())).filter((row) => row.length > 0));

/** The people in the drawer, by name. */
const names = (drawer: Locator) => drawer.locator('tbody a').allInnerTexts().then((all) => all.sort());

async function close(page: Page) {
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toBeHidden();
}

test('a funnel: where people are lost, who they are, and by which source', async ({ page }) => {
  await open(page, 'Funnel');
  await expect(page.getByText('Choose an event for each step')).toBeVisible();
  await pick(page, /^Step 1: /, 'PAGE view'); // capitals and underscores do not matter
  await pick(page, /^Step 2: /, 'sign');
  await page.getByRole('button', { name: 'Add a step' }).click();
  await pick(page, /^Step 3: /, 'purch');
  await expect(page.locator('.big .num')).toHaveText('30%');
  await expect.poll(() => cells(page, 'Table')).toEqual([
    ['1 page_view', '10', '100%', '', '', ''],
    ['2 sign_up', '6', '60%', '60%', '4', '60 min'],
    ['3 purchased', '3', '30%', '50%', '3', '60 min'],
  ]);
  await expect(page.locator('.definition')).toContainText('People who did page_view, then sign_up, then purchased, within 7 days');

  await pick(page, /^Break down by: /, 'source');
  await expect.poll(() => cells(page, 'Group')).toEqual([
    ['direct', '5', '3', '1', '20% worst', '2 h'], // as many as of google: by name
    ['google', '5', '3', '2', '40% best', '2 h'],
  ]);

  // The lost part of the drawing, by keyboard: those who did not sign up.
  await page.getByRole('button', { name: '4 people: did page_view and did not go on to sign_up. See the people' }).focus();
  await page.keyboard.press('Enter');
  const drawer = page.getByRole('dialog', { name: '4 people' });
  await expect(drawer.locator('tbody tr')).toHaveCount(4);
  await expect.poll(() => names(drawer)).toEqual(['v10', 'v7', 'v8', 'v9']);
  const file = page.waitForEvent('download');
  await drawer.getByRole('button', { name: 'CSV' }).click();
  expect((await file).suggestedFilename()).toBe('nimbus-people.csv');
  await close(page);

  // A number of the table opens too, and leads to the person.
  await page.getByRole('button', { name: '2: google, reached purchased. See the people' }).click();
  await page.getByRole('dialog', { name: '2 people' }).getByRole('link', { name: 'v3' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'v3' })).toBeVisible();
  await page.goBack(); // to the number that was opened: the address has it
  await expect(page.getByRole('dialog', { name: '2 people' })).toBeVisible();
  await close(page);

  await page.getByRole('button', { name: 'Time to convert' }).click();
  await expect(page.locator('.stats')).toContainText('Median');
  await expect(page.locator('.answer [role=img]')).toHaveAttribute('aria-label', /1 h – 3 h: 3/);
  await page.getByRole('button', { name: 'Over time' }).click();
  await expect(page.locator('.plot svg .line path').first()).toBeAttached();
  const picture = page.waitForEvent('download');
  await page.getByRole('button', { name: 'PNG' }).click();
  expect((await picture).suggestedFilename()).toBe('nimbus-funnel-page-view-sign-up-purchased-within-7-days-by-source.png');
  await page.reload();
  await expect(page.locator('.big .num')).toHaveText('30%');
});

test('a funnel with conditions, an order and an exclusion', async ({ page }) => {
  await open(page, 'Funnel');
  await pick(page, /^Step 1: /, 'page_view');
  await pick(page, /^Step 2: /, 'purchased');
  await page.getByRole('button', { name: /^Conditions of Step 2: / }).click();
  await page.getByRole('button', { name: 'Add a condition' }).click();
  const where = page.getByRole('group', { name: 'Where' });
  await where.getByLabel('Property').fill('amount');
  await where.getByLabel('Comparison').selectOption('gte');
  await where.getByLabel('Value').fill('20');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Escape');
  await expect.poll(() => cells(page, 'Table')).toEqual([['1 page_view', '10', '100%', '', '', ''], ['2 purchased where amount is at least 20', '2', '20%', '20%', '8', '2 h']]);
  await page.getByRole('button', { name: 'More', exact: true }).click();
  await pick(page, /^Exclude an event: /, 'sign_up');
  await expect(page.locator('.big .num')).toHaveText('0%'); // everybody who bought had signed up in between
  await page.getByRole('button', { name: 'Remove sign_up' }).click();
  await page.getByRole('combobox', { name: 'Order' }).selectOption('strict');
  await expect(page.locator('.big .num')).toHaveText('0%');
  await page.getByRole('combobox', { name: 'Order' }).selectOption('any');
  await expect(page.locator('.big .num')).toHaveText('20%');
  await pick(page, /^Step 1: /, 'page_vuew');
  await expect(page.getByText('not seen yet')).toBeVisible(); // a misspelt name does not pass for one that exists
});

test('the people behind a number are saved as a cohort, which every question can be about', async ({ page }) => {
  await open(page, 'Stickiness');
  await page.getByRole('button', { name: '2: Exactly in 2 days. See the people' }).click();
  const drawer = page.getByRole('dialog', { name: '2 people' });
  await drawer.getByRole('button', { name: 'Save as cohort' }).click();
  await page.getByLabel('Name').fill('Came on two days');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await said(page, 'Came on two days is saved.');
  await close(page);
  await pick(page, /^Who is asked about: /, 'two days');
  await expect(page.locator('.big')).toContainText('2 active people');
  await page.getByRole('button', { name: 'Paths', exact: true }).click();
  await expect(page.locator('.big .num')).toHaveText('2'); // kept
});

test('retention: who comes back on which day, and who does not', async ({ page }) => {
  await open(page, 'Retention');
  await page.getByRole('combobox', { name: 'Range' }).selectOption('7d');
  await pick(page, /^Start: /, 'page_view');
  await expect(page.locator('.big .num')).toHaveText('30%');
  // Day 1: three of ten came back; day 2: one; day 3 is today and not over.
  const row = page.locator('.triangle tbody tr').filter({ has: page.getByRole('button', { name: /^10: began/ }) });
  await expect.poll(() => row.locator('td').evaluateAll((all) => all.map((cell) => [(cell as HTMLElement).innerText.trim(), cell.classList.contains('running')]))).toEqual([['10', false], ['30%', false], ['10%', false], ['0%', true], ...Array.from({ length: await row.locator('td').count() - 4 }, () => ['', false])]);
  await row.getByRole('button', { name: /came back in day 1/ }).click();
  const drawer = page.getByRole('dialog', { name: '3 people' });
  await expect.poll(() => names(drawer)).toEqual(['v1', 'v2', 'v7']);
  await drawer.getByRole('button', { name: 'See those who did not' }).click();
  await expect(page.getByRole('dialog', { name: '7 people' })).toContainText('did not come back in day 1');
  await close(page);
  await pick(page, /^Return: /, 'purchased');
  await expect(page.locator('.big .num')).toHaveText('0%');
  await pick(page, /^Start: /, 'sign_up');
  await page.getByRole('combobox', { name: 'Periods' }).selectOption('rolling');
  await page.getByRole('combobox', { name: 'Period', exact: true }).selectOption('1h');
  await expect(page.locator('.definition')).toContainText('hour');
  const period = page.getByRole('combobox', { name: 'Period', exact: true });
  await page.goBack();
  await expect(period).toHaveValue(''); // Back is undo
  await page.getByRole('button', { name: 'Redo' }).click();
  await expect(period).toHaveValue('1h');
  await page.getByRole('heading', { level: 1 }).click();
  await page.keyboard.press('Control+z');
  await expect(period).toHaveValue('');
  await period.selectOption('1d');
  await expect(page.getByRole('button', { name: 'Redo' })).toBeDisabled();
});

test('lifecycle and stickiness: new, returning and lost people, and how often they come', async ({ page }) => {
  await open(page, 'Lifecycle');
  await page.getByRole('combobox', { name: 'Range' }).selectOption('7d');
  await expect.poll(async () => (await cells(page, 'Table')).slice(0, 4).map((row) => row.slice(1))).toEqual([
    ['0', '0', '0', '1'], // today
    ['0', '1', '0', '2'],
    ['0', '3', '0', '7'],
    ['10', '0', '0', '0'],
  ]);
  await page.getByRole('button', { name: /^7: Gone, / }).click();
  await expect(page.getByRole('dialog', { name: '7 people' }).locator('tbody a')).toHaveCount(7);
  await close(page);
  // By keyboard in the drawing: the largest part of the day that is pointed at.
  await page.mouse.move(0, 0); // or the pointer reads the drawing, too
  await page.locator('.plot').focus();
  const spoken = page.locator('.chart [aria-live]');
  await expect(async () => {
    await page.keyboard.press('ArrowLeft');
    await expect(spoken).toContainText('New 10', { timeout: 1000 });
  }).toPass();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog', { name: '10 people' })).toContainText('New');
  await close(page);

  await page.getByRole('button', { name: 'Stickiness', exact: true }).click();
  await expect(page.getByRole('combobox', { name: 'Range' })).toHaveValue('7d'); // kept
  await expect.poll(async () => (await cells(page, 'Table')).slice(0, 4)).toEqual([['in 1 day', '7', '70%'], ['in 2 days', '2', '20%'], ['in 3 days', '1', '10%'], ['in 4 days', '0', '0%']]);
  await page.getByRole('combobox', { name: 'Counted' }).selectOption('least');
  await expect.poll(async () => (await cells(page, 'Table')).slice(0, 3).map((row) => row[1])).toEqual(['10', '3', '1']);
  await page.getByRole('button', { name: '3: At least in 2 days. See the people' }).click();
  await expect.poll(() => names(page.getByRole('dialog'))).toEqual(['v1', 'v2', 'v7']);
});

test('paths: what people do after an event, and a funnel made of it', async ({ page }) => {
  await open(page, 'Paths');
  await pick(page, /^Start: /, 'page_view');
  await expect.poll(async () => (await cells(page, 'Table')).slice(0, 4)).toEqual([
    ['Step 1', 'page_view', '10', '100%', '4'],
    ['Step 2', 'sign_up', '6', '60%', '3'],
    ['Step 3', 'purchased', '3', '30%', '1'],
    ['Step 4', 'page_view', '2', '20%', '2'],
  ]);
  // The nodes are gone through by arrows.
  await page.getByRole('button', { name: '10: page_view, Step 1. See the people' }).first().focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  const drawer = page.getByRole('dialog', { name: '3 people' });
  await expect.poll(() => names(drawer)).toEqual(['v1', 'v2', 'v3']);
  await drawer.getByRole('button', { name: 'Make a funnel of it' }).click();
  await expect(page.getByRole('button', { name: 'Funnel', exact: true })).toHaveAttribute('aria-pressed', 'true');
  await expect.poll(async () => (await cells(page, 'Table')).map((row) => row.slice(0, 2))).toEqual([['1 page_view', '10'], ['2 purchased', '3']]);
  await page.goBack();
  await expect(drawer).toBeVisible();
  await close(page);
  await page.getByRole('button', { name: /^named by: / }).click();
  await choose(page, 'page');
  await expect.poll(async () => (await cells(page, 'Table')).map((row) => row.slice(1, 3))).toEqual([['/', '10'], ['/pricing', '3']]);
});

test('sessions: how many, how long, and where they begin', async ({ page }) => {
  await open(page, 'Sessions');
  await expect(page.locator('.stats')).toContainText(/Sessions\s*23/);
  await expect(page.locator('.stats')).toContainText(/Bounced\s*100%/);
  await pick(page, /^Break down by: /, 'source');
  await expect.poll(async () => (await cells(page, 'Group')).map((row) => row.slice(0, 3))).toEqual([['google', '13', '5'], ['direct', '10', '5']]);
  await page.getByRole('button', { name: '10: sessions of direct. See the people' }).click();
  await expect(page.getByRole('dialog', { name: '10 times' }).locator('tbody tr')).toHaveCount(10);
});

test('a question of another kind keeps what both understand, and two events are two series', async ({ page }) => {
  await logIn(page, email);
  await page.goto(`${home}/explore?range=7d`); // the address of before leads here
  await expect(page).toHaveURL(/\/insights\?.*range=7d/);
  await pick(page, /^Series A: /, 'page_view');
  await pick(page, /^Add a series: /, 'sign_up');
  await expect(page.locator('.legend button')).toHaveText(['page_view', 'sign_up']);
  await page.getByRole('button', { name: 'Funnel', exact: true }).click();
  await expect(page.locator('.big .num')).toHaveText('60%');
  await expect(page.getByRole('combobox', { name: 'Range' })).toHaveValue('7d');
  await page.getByRole('button', { name: 'As code' }).click();
  await expect(page.getByRole('dialog')).toContainText('/v1/insights/funnel');
});

test('ranges of the calendar', async ({ page }) => {
  await logIn(page, email);
  await page.goto(`${home}/insights?names=%5B%22page_view%22%5D&compare=true`);
  await expect(page.locator('.big .num')).toHaveText('14');
  await page.getByRole('combobox', { name: 'Range' }).selectOption('today');
  await expect(page).toHaveURL(/range=today/); // it stays relative
  await expect(page.locator('.big .num')).toHaveText('0');
  await page.getByRole('combobox', { name: 'Range' }).selectOption('yesterday');
  await expect(page.locator('.big .num')).toHaveText('1');
  await expect(page.locator('.big')).toContainText('3 before'); // the day before it
  await page.getByRole('button', { name: 'Stickiness', exact: true }).click();
  await expect(page.locator('.big')).toContainText('of 24 · 1 active person'); // one day, by its hours
});

test('trends: several series, each with its measure and conditions, a formula, the people behind a number, and all of it saved', async ({ page }) => {
  await open(page, 'Trends');
  await pick(page, /^Series A: /, 'sign_up');
  await page.getByRole('combobox', { name: 'Measure of Series A' }).selectOption('users');
  await pick(page, /^Add a series: /, 'page_view');
  await page.getByRole('combobox', { name: 'Measure of Series B' }).selectOption('users');
  await expect(page.locator('.stats')).toContainText(/sign_up: Number of people\s*6/);
  await expect(page.locator('.stats')).toContainText(/page_view: Number of people\s*10/);
  await page.getByRole('button', { name: 'Add a formula' }).click();
  await page.getByRole('option', { name: 'A / B in percent' }).click();
  await expect(page.locator('.big .num')).toHaveText('60%'); // and what it is of is hidden
  await pick(page, /^Break down by: /, 'source');
  await expect.poll(() => cells(page, 'Series')).toEqual([['direct', '60%'], ['google', '60%']]);
  await page.getByRole('button', { name: 'Show A' }).click();
  await page.getByRole('button', { name: '3: direct · sign_up: Number of people. See the people' }).click();
  await expect.poll(() => names(page.getByRole('dialog', { name: '3 people' }))).toEqual(['v2', 'v4', 'v6']);
  await close(page);

  // Each series has conditions of its own: of two that are the same, one is of some.
  await page.getByRole('button', { name: 'Remove Formula C' }).click();
  await pick(page, /^Break down by: /, 'Nothing');
  await page.getByRole('button', { name: 'Remove Series A' }).click();
  await page.getByRole('button', { name: 'Copy series A' }).click();
  await page.getByRole('combobox', { name: 'Measure of Series B' }).selectOption('count');
  await page.getByRole('button', { name: /^Conditions of Series B: / }).click();
  await page.getByRole('button', { name: 'Add a condition' }).click();
  const where = page.getByRole('group', { name: 'Where' });
  await where.getByLabel('Property').fill('page');
  await where.getByLabel('Value').fill('/pricing');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Escape');
  await expect(page.locator('.stats')).toContainText(/page_view\s*4/);
  await expect(page.locator('.stats')).toContainText(/page_view: Number of people\s*10/);
  await page.getByRole('combobox', { name: 'Compare with' }).selectOption('year');
  await expect(page.locator('.stats')).toContainText(/· 0 then/);

  await page.getByRole('button', { name: 'Save…' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Pricing');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Pricing', level: 1 })).toBeVisible();
  await page.getByRole('link', { name: 'Saved insights' }).click();
  await page.getByRole('link', { name: 'Pricing' }).click();
  await expect(page.locator('.stats')).toContainText(/page_view\s*4/);
  await expect(page.getByRole('combobox', { name: 'Compare with' })).toHaveValue('year');
  await expect(page.getByRole('button', { name: /^Conditions of Series B: / })).toContainText('page is /pricing');
  await expect(page.getByText('Unsaved changes')).toBeHidden();

  // Another kind of the same question is saved as well, and opens as it was.
  await page.getByRole('button', { name: 'Stickiness', exact: true }).click();
  await page.getByRole('button', { name: 'Save…' }).click();
  await page.getByLabel('Name', { exact: true }).fill('How often');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page).toHaveURL(/report=/);
  await page.getByRole('link', { name: 'Saved insights' }).click();
  await page.getByRole('link', { name: 'How often' }).click();
  await expect(page.getByRole('button', { name: 'Stickiness', exact: true })).toHaveAttribute('aria-pressed', 'true');
  await expect(page.getByText('Unsaved changes')).toBeHidden();
});

test('by a property of people, and companies in place of people, in every kind', async ({ page }) => {
  await open(page, 'Lifecycle');
  await page.getByRole('combobox', { name: 'Range' }).selectOption('7d');
  const began = async () => (await cells(page, 'Table'))[3]?.slice(1);
  await expect.poll(began).toEqual(['10', '0', '0', '0']);
  await pick(page, /^Break down by: /, 'tier');
  await page.getByRole('combobox', { name: 'Group', exact: true }).selectOption('paying');
  await expect.poll(began).toEqual(['3', '0', '0', '0']);
  await page.getByRole('button', { name: /^3: New, / }).click();
  await expect.poll(() => names(page.getByRole('dialog', { name: '3 people' }))).toEqual(['v1', 'v2', 'v3']);
  await close(page);
  await page.getByRole('button', { name: 'Stickiness', exact: true }).click();
  await page.getByRole('combobox', { name: 'Group', exact: true }).selectOption('paying');
  await expect.poll(async () => (await cells(page, 'Table')).slice(0, 3).map((row) => row[1])).toEqual(['1', '1', '1']);
  await page.getByRole('button', { name: 'Paths', exact: true }).click();
  await page.getByRole('combobox', { name: 'Group', exact: true }).selectOption('free');
  await expect(page.locator('.big .num')).toHaveText('1');
  await page.getByRole('button', { name: 'Trends', exact: true }).click();
  await page.getByRole('combobox', { name: 'Measure of Series A' }).selectOption('users');
  await expect.poll(async () => (await cells(page, 'Series')).map((row) => row.slice(0, 2))).toEqual([['Not set', '6'], ['paying', '3'], ['free', '1']]);

  await pick(page, /^Break down by: /, 'Nothing');
  await pick(page, /^What is counted: /, 'company');
  await expect(page.locator('.big .num')).toHaveText('2');
  await page.getByRole('button', { name: '2: all events: Number of people. See the people' }).click();
  await expect(page.getByRole('dialog', { name: '2 of company' }).locator('tbody td:first-child')).toHaveText(['acme', 'beta']);
  await close(page);
  await page.getByRole('button', { name: 'Retention', exact: true }).click();
  await expect(page.getByRole('button', { name: /^What is counted: / })).toContainText('each company'); // kept
});

test('what happened when stands on the axis, and is read by a click', async ({ page }) => {
  await open(page, 'Trends');
  await page.getByRole('combobox', { name: 'Range' }).selectOption('7d');
  await page.getByRole('button', { name: 'Annotations' }).click();
  await page.getByLabel('What happened').fill('Version 3.2 is out');
  await page.getByLabel(/^When/).fill(`${new Date(noon).toISOString().slice(0, 10)}T09:30`);
  await page.getByRole('button', { name: 'Annotate', exact: true }).click();
  await said(page, '“Version 3.2 is out” stands on the charts.');
  const mark = page.getByRole('button', { name: /^Version 3.2 is out, / });
  await mark.click();
  await expect(page.locator('.note-text')).toContainText('Version 3.2 is out');
  await expect(page.getByRole('dialog')).toBeHidden(); // nobody behind the bucket was asked for
  for (const kind of ['Lifecycle', 'Sessions']) {
    await page.getByRole('button', { name: kind, exact: true }).click();
    await expect(mark).toBeVisible();
  }
  await page.getByRole('button', { name: 'Annotations' }).click();
  await page.getByRole('button', { name: 'Delete Version 3.2 is out' }).click();
  await expect(page.getByText('Nothing is annotated yet.')).toBeVisible();
  await close(page);
  await expect(mark).toBeHidden();
});
