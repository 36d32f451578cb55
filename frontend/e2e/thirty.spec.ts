/**
 * The thirty questions that product managers, growth teams and founders ask each week, by clicks alone, each within eight,
 * on the demo; what the page says is counted anew from the demo's events. A choice in a list is two clicks: one opens it.
 * A link for investors and a mail on Mondays are not played: this dashboard has neither.
 */
import type { Locator, Page } from '@playwright/test';
import { join } from 'node:path';
import { funnel, grouped, named, people, startDemo, sum, today, within, type Demo, type Did } from './demo';
import { expect, test as base } from './fixtures';

const most = 8;
const day = 86_400_000;

let demo: Demo;
base.use({ timezoneId: 'UTC' }); // the days of the demo's story
base.describe.configure({ mode: 'default', timeout: 300_000 }); // in one worker, which starts one demo
base.beforeAll(async () => {
  base.setTimeout(300_000);
  demo = await startDemo(process.env['NIMBUS_E2E_BIN']!, join(process.env['NIMBUS_E2E_DIR']!, 'demo'));
});
base.afterAll(() => demo.stop());

/** Somebody at the overview of the demo, whose clicks are counted. */
class Analyst {
  clicks = 0;
  constructor(readonly page: Page) {}

  async click(target: Locator) {
    this.clicks++;
    await target.click();
  }
  /** Of a list with few choices. */
  async choose(label: string, choice: string | { label: string }) {
    this.clicks += 2;
    await this.page.getByRole('combobox', { name: label, exact: true }).selectOption(choice);
  }
  /** Of a list of what is known, without typing. */
  async pick(label: RegExp, option: string) {
    await this.click(this.page.getByRole('button', { name: label }));
    await this.click(this.page.locator('.popover').getByRole('option').filter({ has: this.page.getByText(option, { exact: true }) }).first());
  }
  /** The insight of an event, from the list on the overview: it has its range, the last seven days. */
  event = (name: string) => this.click(this.page.locator('.bars').getByRole('link', { name, exact: true }));
  insights = () => this.click(this.page.getByRole('link', { name: 'Insights', exact: true }));
  kind = (name: string) => this.click(this.page.getByRole('button', { name, exact: true }));

  big = () => this.page.locator('.answer .big .num');
  /** The rows of a table, as texts. */
  rows = (name: string) => this.page.getByRole('group', { name, exact: true }).getByRole('row').evaluateAll((rows) => rows.map((row) => [...row.querySelectorAll('td')].map((cell) => (cell as HTMLElement).innerText.trim())).filter((row) => row.length > 0));
}

const test = base.extend<{ ask: (question: string, play: (me: Analyst) => Promise<void>) => Promise<void> }>({
  ask: async ({ page }, provide) => {
    const response = await page.context().request.post(`${demo.url}/v1/auth/login`, { data: { email: demo.email, password: demo.password, session: 'cookie' } });
    expect(response.ok()).toBe(true);
    await page.addInitScript(() => localStorage.setItem('nimbus.session', '1'));
    await provide((question, play) =>
      base.step(question, async () => {
        await page.goto(`${demo.url}/projects/${demo.projectId}`);
        await page.locator('.bars li').first().waitFor();
        const me = new Analyst(page);
        await play(me);
        expect.soft(me.clicks, `clicks of “${question}”`).toBeLessThanOrEqual(most);
      }),
    );
  },
});

/** A number as the page writes it in British English. */
const text = (n: number, digits = 2) => new Intl.NumberFormat('en-GB', { maximumFractionDigits: Number.isInteger(n) ? 0 : digits }).format(n);
const percent = (share: number) => new Intl.NumberFormat('en-GB', { style: 'percent', maximumFractionDigits: 1 }).format(share);
const week = () => within(demo.events, today() - 6 * day);
const month = () => within(demo.events, today() - 29 * day);
/** Monday of this week. */
const monday = () => today() - ((new Date(today()).getUTCDay() + 6) % 7) * day;
const reached = (rows: string[][]) => rows.map((row) => row[1]);
/** The table of groups, as a number or a share for each value. */
const byGroup = (rows: string[][], column = 1) => new Map(rows.map((row) => [row[0]!, row[column]!]));
const counted = (groups: Map<string, Did[]>, of: (events: Did[]) => string) => new Map([...groups].map(([key, events]) => [key, of(events)]));

test('a product manager', async ({ ask }) => {
  await ask('How many people use product pages, against last week?', async (me) => {
    await me.event('product_viewed');
    await me.choose('Measure of Series A', 'users');
    await me.choose('Range', 'this_week');
    await me.choose('Compare with', 'before');
    await expect(me.big()).toHaveText(text(people(within(named(demo.events, 'product_viewed'), monday()))));
    await expect(me.page.locator('.big')).toContainText(/by .* then|before/);
  });
  await ask('Where do people drop out of onboarding?', async (me) => {
    await me.event('page_view');
    await me.kind('Funnel');
    await me.pick(/^Step 2: /, 'sign_up_started');
    await me.kind('Add a step');
    await me.pick(/^Step 3: /, 'sign_up');
    await expect.poll(async () => reached(await me.rows('Table'))).toEqual(funnel(demo.events, ['page_view', 'sign_up_started', 'sign_up'], today() - 6 * day).map((n) => text(n)));
  });
  await ask('Do new people come back?', async (me) => {
    await me.insights();
    await me.kind('Retention');
    await me.choose('Period', '1d');
    const first = new Map([...grouped(demo.events, (e) => e.person)].map(([person, mine]) => [person, Math.floor(mine[0]!.ts / day)]));
    const days = new Set(demo.events.map((e) => `${e.person} ${Math.floor(e.ts / day)}`));
    // Of those for whom the day after is over.
    const began = [...first].filter(([, d]) => (d + 2) * day <= today() + day && d * day >= today() - 29 * day);
    const over = began.filter(([, d]) => (d + 2) * day <= today());
    await expect(me.big()).toHaveText(percent(over.filter(([person, d]) => days.has(`${person} ${d + 1}`)).length / over.length));
  });
  await ask('How many come a day, how many a month, and what is the ratio?', async (me) => {
    await me.click(me.page.locator('section', { has: me.page.getByRole('heading', { name: 'People over time' }) }).getByRole('link', { name: 'Explore' }));
    await me.kind('Copy series A');
    await me.choose('Measure of Series B', 'rolling30');
    await me.pick(/^Add a formula: /, 'A / B in percent');
    await me.kind('Table');
    const yesterday = within(demo.events, today() - day, today());
    const before = within(demo.events, today() - 30 * day, today());
    await expect.poll(async () => (await me.rows('Table'))[1]?.[1]).toBe(percent(people(yesterday) / people(before)));
  });
  await ask('What do those of the pro plan use, and those of the free one?', async (me) => {
    await me.event('product_viewed');
    await me.choose('Measure of Series A', 'users');
    await me.pick(/^Break down by: /, 'plan');
    await expect.poll(async () => byGroup(await me.rows('Series'))).toEqual(counted(grouped(named(week(), 'product_viewed'), (e) => e.props['plan']), (g) => text(people(g))));
  });
  await ask('Who hit the error, with a list?', async (me) => {
    await me.insights();
    await me.pick(/^Series A: /, 'payment_failed');
    await me.click(me.page.locator('.answer .big .num button'));
    const drawer = me.page.getByRole('dialog');
    await expect(drawer.locator('tbody tr')).toHaveCount(people(named(month(), 'payment_failed')));
    const file = me.page.waitForEvent('download');
    await me.click(drawer.getByRole('button', { name: 'CSV' }));
    expect((await file).suggestedFilename()).toBe('nimbus-people.csv');
  });
  await ask('What did this customer do before complaining?', async (me) => {
    await me.insights();
    await me.pick(/^Series A: /, 'plan_upgraded');
    await me.click(me.page.locator('.answer .big .num button'));
    const link = me.page.getByRole('dialog').locator('tbody a').first();
    const person = (await link.innerText()).replace(/^user_/, '');
    await me.click(link);
    await expect(me.page.getByRole('heading', { level: 1 })).toBeVisible();
    await expect(me.page.locator('main')).toContainText(new RegExp(`Events\\s*${text(demo.events.filter((e) => e.person === person).length)}(?!\\d)`));
    await expect(me.page.locator('main')).toContainText('plan_upgraded');
  });
  await ask('Did what happened that day change it?', async (me) => {
    await me.insights();
    await me.pick(/^Series A: /, 'purchased');
    await me.click(me.page.getByRole('button', { name: /^Payments fail, / }));
    await expect(me.page.locator('.note-text')).toContainText('Payments fail');
    await me.kind('Table');
    const yesterday = named(within(demo.events, today() - day, today()), 'purchased').length;
    await expect.poll(async () => (await me.rows('Table'))[1]?.[1]).toBe(text(yesterday));
  });
  await ask('What do people do after they sign up?', async (me) => {
    await me.event('sign_up');
    await me.kind('Paths');
    await expect(me.big()).toHaveText(text(people(named(week(), 'sign_up'))));
    const next = grouped([...grouped(demo.events, (e) => e.person).values()].flatMap((mine) => {
      const start = mine.findIndex((e) => e.name === 'sign_up' && e.ts >= today() - 6 * day);
      const after = start < 0 ? undefined : mine.slice(start + 1).find((e) => e.name !== 'sign_up');
      return after && after.ts - mine[start]!.ts <= 30 * day ? [after] : [];
    }), (e) => e.name);
    const largest = Math.max(...[...next.values()].map((g) => g.length));
    await expect.poll(async () => (await me.rows('Table')).find((row) => row[0] === 'Step 2')?.[2]).toBe(text(largest));
  });
  await ask('On how many days of a week do people search: one, two, three?', async (me) => {
    await me.event('search');
    await me.kind('Stickiness');
    const days = [...grouped(named(week(), 'search'), (e) => e.person).values()].map((mine) => new Set(mine.map((e) => Math.floor(e.ts / day))).size);
    await expect.poll(async () => reached(await me.rows('Table')).slice(0, 3)).toEqual([1, 2, 3].map((n) => text(days.filter((d) => d === n).length)));
  });
});

test('growth', async ({ ask }) => {
  await ask('Sign-ups by source, against before?', async (me) => {
    await me.event('sign_up');
    await me.pick(/^Break down by: /, 'source');
    await me.choose('Compare with', 'before');
    await expect.poll(async () => byGroup(await me.rows('Series'))).toEqual(counted(grouped(named(week(), 'sign_up'), (e) => e.props['source']), (g) => text(g.length)));
  });
  await ask('From a visit to a sign-up, by channel?', async (me) => {
    await me.event('page_view');
    await me.kind('Funnel');
    await me.pick(/^Step 2: /, 'sign_up');
    await me.pick(/^Break down by: /, 'source');
    const all = grouped(demo.events, (e) => e.props['source']);
    const google = funnel(all.get('google')!, ['page_view', 'sign_up'], today() - 6 * day);
    await expect.poll(async () => (await me.rows('Group')).find((row) => row[0] === 'google')?.slice(1, 3)).toEqual(google.map((n) => text(n)));
  });
  await ask('Which landing page brings sign-ups?', async (me) => {
    await me.event('sign_up');
    await me.pick(/^Break down by: /, 'landing_page');
    const landed = grouped(named(week(), 'sign_up'), (e) => demo.profiles.get(e.person)?.['landing_page'] as string | undefined);
    await expect.poll(async () => byGroup(await me.rows('Series'))).toEqual(counted(landed, (g) => text(g.length)));
  });
  await ask('Which are the top sources?', async (me) => {
    await me.insights();
    await me.choose('Measure of Series A', 'users');
    await me.pick(/^Break down by: /, 'source');
    await expect.poll(async () => byGroup(await me.rows('Series'))).toEqual(counted(grouped(month(), (e) => e.props['source']), (g) => text(people(g))));
  });
  const activation = () => funnel(demo.events, ['sign_up', 'purchased'], today() - 29 * day);
  const activate = async (me: Analyst) => {
    await me.insights();
    await me.kind('Funnel');
    await me.pick(/^Step 1: /, 'sign_up');
    await me.pick(/^Step 2: /, 'purchased');
  };
  await ask('How many are activated within seven days?', async (me) => {
    await activate(me);
    const [signed, bought] = activation();
    await expect(me.big()).toHaveText(percent(bought! / signed!));
  });
  await ask('Who signed up and was not activated, for the mail tool?', async (me) => {
    await activate(me);
    const [signed, bought] = activation();
    const lost = text(signed! - bought!);
    await me.click(me.page.getByRole('group', { name: 'Table' }).getByRole('button', { name: `${lost}: did sign_up and did not go on to purchased. See the people` }));
    const file = me.page.waitForEvent('download');
    await me.click(me.page.getByRole('dialog', { name: `${lost} people` }).getByRole('button', { name: 'CSV' }));
    expect((await file).suggestedFilename()).toBe('nimbus-people.csv');
  });
  await ask('Who comes back, by channel?', async (me) => {
    await me.insights();
    await me.kind('Retention');
    await me.pick(/^Break down by: /, 'source');
    await me.choose('Group', { label: 'google' });
    const sizes = me.page.locator('.triangle tbody tr:not(.average) td:nth-child(2)');
    const google = people(month().filter((e) => e.props['source'] === 'google'));
    await expect.poll(async () => (await sizes.allInnerTexts()).reduce((total, n) => total + Number(n.replaceAll(',', '')), 0)).toBe(google);
  });
  await ask('How long do people take to buy?', async (me) => {
    await activate(me);
    await me.kind('Time to convert');
    await expect(me.page.locator('.stats')).toContainText(new RegExp(`Conversions\\s*${text(activation()[1]!)}`));
  });
  await ask('Does one variant convert better than another?', async (me) => {
    await me.event('product_viewed');
    await me.kind('Funnel');
    await me.pick(/^Step 2: /, 'purchased');
    await me.pick(/^Break down by: /, 'country');
    const countries = [...grouped(demo.events, (e) => e.props['country'])];
    const counts = new Map(countries.map(([country, mine]) => [country, funnel(mine, ['product_viewed', 'purchased'], today() - 6 * day).map((n) => text(n)).join(' ')]));
    // Of the five largest, and the rest is one row.
    await expect.poll(async () => (await me.rows('Group')).filter((row) => counts.get(row[0]!) === row.slice(1, 3).join(' ')).length).toBe(5);
  });
  await ask('Did the campaign pay off?', async (me) => {
    await me.insights();
    await me.pick(/^Series A: /, 'purchased');
    await me.choose('Measure of Series A', 'sum');
    await me.pick(/^Break down by: /, 'source');
    await expect.poll(async () => byGroup(await me.rows('Series'))).toEqual(counted(grouped(named(month(), 'purchased'), (e) => e.props['source']), (g) => text(sum(g, 'amount'))));
  });
});

test('a founder', async ({ ask }) => {
  await ask('How many people are active, against last week?', async (me) => {
    const tile = me.page.locator('.tile', { has: me.page.getByRole('heading', { name: 'People' }) });
    await expect(tile.locator('.num')).toHaveText(text(people(week())));
  });
  await ask('Revenue this month, against last month?', async (me) => {
    await me.event('purchased');
    await me.choose('Measure of Series A', 'sum');
    await me.choose('Range', 'this_month');
    await me.choose('Compare with', 'before');
    const first = Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth(), 1);
    await expect(me.big()).toHaveText(text(sum(within(named(demo.events, 'purchased'), first), 'amount')));
    await expect(me.page.locator('.big')).toContainText(/then|before/);
  });
  await ask('Who is new, who returned, who is lost?', async (me) => {
    await me.insights();
    await me.kind('Lifecycle');
    const [before, then] = [new Set(within(demo.events, 0, today() - day).map((e) => e.person)), new Set(within(demo.events, today() - day, today()).map((e) => e.person))];
    const dayBefore = new Set(within(demo.events, today() - 2 * day, today() - day).map((e) => e.person));
    const all = [...then];
    const states = [all.filter((p) => !before.has(p)), all.filter((p) => dayBefore.has(p)), all.filter((p) => before.has(p) && !dayBefore.has(p)), [...dayBefore].filter((p) => !then.has(p))];
    await expect.poll(async () => (await me.rows('Table'))[1]?.slice(1)).toEqual(states.map((s) => text(s.length)));
  });
  await ask('What is a customer worth?', async (me) => {
    await me.event('purchased');
    await me.kind('Copy series A');
    await me.choose('Measure of Series A', 'sum');
    await me.choose('Measure of Series B', 'users');
    await me.pick(/^Add a formula: /, 'A / B');
    const bought = named(week(), 'purchased');
    await expect(me.big()).toHaveText(text(sum(bought, 'amount') / people(bought)));
  });
  await ask('How many become paying?', async (me) => {
    await me.insights();
    await me.kind('Funnel');
    await me.pick(/^Step 1: /, 'sign_up');
    await me.pick(/^Step 2: /, 'plan_upgraded');
    await expect.poll(async () => reached(await me.rows('Table'))).toEqual(funnel(demo.events, ['sign_up', 'plan_upgraded'], today() - 29 * day).map((n) => text(n)));
  });
  await ask('Are we keeping them?', async (me) => {
    await me.insights();
    await me.kind('Retention');
    await expect(me.big()).toHaveText(/^\d+(\.\d)?%$/);
    const sizes = me.page.locator('.triangle tbody tr:not(.average) td:nth-child(2)');
    await expect.poll(async () => (await sizes.allInnerTexts()).reduce((total, n) => total + Number(n.replaceAll(',', '')), 0)).toBe(people(month()));
  });
  await ask('Which are the top ten customers?', async (me) => {
    await me.event('purchased');
    await me.choose('Measure of Series A', 'sum');
    await me.pick(/^Break down by: /, 'company');
    const revenue = counted(grouped(named(week(), 'purchased'), (e) => e.props['company']), (g) => text(sum(g, 'amount')));
    await expect.poll(async () => (await me.rows('Series')).filter((row) => revenue.get(row[0]!) === row[1]).length).toBe(Math.min(10, revenue.size));
  });
  await ask('Is the tracking alive?', async (me) => {
    const last = me.page.locator('.recent');
    await expect(last.getByRole('link', { name: 'Live' })).toBeVisible();
    const recent = within(demo.events, Date.now() - 30 * 60_000).length;
    expect(Math.abs(Number((await me.page.getByTestId('recent').innerText()).replaceAll(',', '')) - recent)).toBeLessThanOrEqual(20);
  });
});
