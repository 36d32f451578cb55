/** Every page read by axe: structure, names and contrast in light; in dark the contrast, the rest being the same. */
import { axe, violations, wcag } from './axe';
import { expect, home, logIn, shop, test, url } from './fixtures';
import { send } from './seed';

const filter = JSON.stringify({ op: 'and', filters: [{ op: 'exists', prop: 'page' }, { op: 'not', filter: { op: 'eq', prop: 'plan', value: 'team' } }] });
const tree = { op: 'and', clauses: [{ op: 'did', event: 'page_view', times: { gte: 2 }, within: { last_days: 30 } }, { op: 'or', clauses: [{ op: 'sequence', steps: [{ event: 'page_view' }, { event: 'search' }] }, { op: 'not', clause: { op: 'did', event: 'purchased' } }] }] };
const pages: Record<string, { path: string; ready: string; meanwhile?: () => Promise<void> }> = {
  'log in': { path: '/login', ready: 'form' },
  register: { path: '/register?next=/projects', ready: 'form' },
  overview: { path: home, ready: '.bars li' },
  explore: { path: `${home}/explore?by=name&compare=true&chart=bar&filter=${encodeURIComponent(filter)}`, ready: '.plot svg rect' },
  'explore, no property': { path: `${home}/explore?measure=sum`, ready: '.empty' },
  'explore, a table': { path: `${home}/explore?by=prop:country&chart=table`, ready: '.buckets td' },
  funnel: { path: `${home}/insights?kind=funnel&by=prop:country&steps=${encodeURIComponent(JSON.stringify([{ event: 'page_view' }, { event: 'search', optional: true }, { event: 'purchased', filter: { op: 'exists', prop: 'amount' } }]))}`, ready: '.marks rect' },
  'people behind a number': { path: `${home}/insights?kind=funnel&at=%7B%22step%22%3A1%7D&steps=${encodeURIComponent(JSON.stringify([{ event: 'page_view' }]))}`, ready: 'dialog td a' },
  retention: { path: `${home}/insights?kind=retention&bucket=1d&range=7d&by=prop:plan`, ready: '.triangle .heat' },
  lifecycle: { path: `${home}/insights?kind=lifecycle&range=14d`, ready: '.plot svg rect' },
  stickiness: { path: `${home}/insights?kind=stickiness&range=14d`, ready: '.plot svg rect' },
  paths: { path: `${home}/insights?kind=paths&start=%7B%22event%22%3A%22search%22%7D`, ready: '.marks .mark' },
  sessions: { path: `${home}/insights?kind=sessions&by=prop:page`, ready: '.plot svg .line path' },
  'a funnel of nothing yet': { path: `${home}/insights?kind=funnel`, ready: '.empty' },
  'a saved report': { path: `${home}/reports/${shop.reportId}`, ready: '.plot svg rect' },
  reports: { path: `${home}/reports`, ready: 'td a' },
  boards: { path: `${home}/boards`, ready: '.board-card' },
  board: { path: `${home}/boards/${shop.boardId}`, ready: '.plot svg rect' },
  'board, being changed': { path: `${home}/boards/${shop.boardId}?edit=true`, ready: '.plot svg rect' },
  'no such board': { path: `${home}/boards/${shop.projectId}`, ready: '.empty' },
  live: { path: `${home}/live`, ready: '.window .event', meanwhile: () => send(url, shop, [{ name: 'page_view', user_id: 'user_7', props: { page: '/pricing', plan: 'pro' } }]) },
  'live, of a name': { path: `${home}/live?name=%5B%22refunded%22%5D`, ready: '.empty' },
  events: { path: `${home}/events`, ready: '.window .event' },
  people: { path: `${home}/people`, ready: 'td a' },
  'people who fit conditions': { path: `${home}/people?where=${encodeURIComponent(JSON.stringify(tree))}`, ready: 'td a' },
  person: { path: `${home}/people/user_7`, ready: '.session' },
  cohorts: { path: `${home}/cohorts`, ready: '.empty' },
  'a new cohort': { path: `${home}/cohorts/new?where=${encodeURIComponent(JSON.stringify(tree))}`, ready: '.size .num' },
  'a new list': { path: `${home}/cohorts/new?kind=fixed`, ready: 'textarea' },
  'no such cohort': { path: `${home}/cohorts/${shop.projectId}`, ready: '.empty' },
  'nobody of that id': { path: `${home}/people/nobody`, ready: '.empty' },
  install: { path: `${home}/install`, ready: '.notice.good' },
  'install, the SDK of another vendor': { path: `${home}/install?sdk=mixpanel`, ready: '.vendor-fields dd' },
  members: { path: `${home}/members`, ready: 'select.role' },
  keys: { path: `${home}/keys`, ready: 'table.cards .badge' },
  'audit log': { path: `${home}/audit`, ready: '.audit td' },
  'audit log, nothing found': { path: `${home}/audit?action=project.delete`, ready: '.empty' },
  settings: { path: `${home}/settings`, ready: 'form' },
  projects: { path: '/projects', ready: 'td a' },
  'new project': { path: '/projects/new', ready: 'form' },
  account: { path: '/account', ready: '.lines li' },
  'not there': { path: '/nowhere', ready: '.empty' },
};

for (const [name, { path, ready, meanwhile }] of Object.entries(pages)) {
  test(name, async ({ page }) => {
    if (!['log in', 'register'].includes(name)) await logIn(page);
    await page.goto(path);
    if (meanwhile) {
      await expect(page.locator('.page-head').getByRole('status')).toHaveText('Live');
      await meanwhile();
    }
    await page.locator(ready).first().waitFor();
    expect(await violations(axe(page).withTags([...wcag, 'best-practice']))).toEqual([]);
    await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
    expect(await violations(axe(page).withRules('color-contrast'))).toEqual([]);
    // Nothing sticks out at the narrowest: what does makes the whole page slide sideways.
    await page.setViewportSize({ width: 360, height: 740 });
    // A chart takes its new width a frame or two later.
    await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBeLessThanOrEqual(0);
  });
}

test('dialogs', async ({ page }) => {
  await logIn(page);
  await page.goto(`${home}/keys`);
  await page.getByRole('button', { name: 'Create API key' }).click();
  const scan = async () => {
    await page.locator('dialog[open]').waitFor(); // its code comes when it is opened
    return violations(axe(page).withTags(wcag).include('dialog'));
  };
  expect(await scan()).toEqual([]);
  // The focus goes to what is asked, and back to where it was.
  await expect(page.getByRole('dialog').getByLabel('Name')).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('button', { name: 'Create API key' })).toBeFocused();
  await page.goto(`${home}/audit`);
  await page.getByRole('button', { name: /^Show the entry/ }).first().click();
  expect(await scan()).toEqual([]);
  await page.goto(`${home}/explore`);
  await page.getByRole('button', { name: 'As code' }).click();
  expect(await scan()).toEqual([]);
  await page.keyboard.press('Escape');
  await page.goto(`${home}/insights?kind=funnel`);
  await page.getByRole('button', { name: /^Step 1: / }).click();
  await page.locator('.options li').first().waitFor();
  expect(await violations(axe(page).withTags(wcag).include('.popover'))).toEqual([]);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+k');
  await page.locator('.palette li').first().waitFor();
  expect(await scan()).toEqual([]);
});
