/** Where the dashboard may have to live: below a path, without storage, in a browser without a zone, on a network that comes and goes. */
import { expect, home, logIn, shop, test, url } from './fixtures';
import { below } from './prefix';
import { password } from './seed';

const curve = '.plot svg .line path';

test('everything works below a path, and nothing is asked outside it', async ({ page }) => {
  const proxy = await below('/analytics/', url);
  const outside: string[] = [];
  page.on('request', (request) => !request.url().startsWith(proxy.url) && !/^(data|blob):/.test(request.url()) && outside.push(request.url()));
  try {
    await page.goto(`${proxy.url}projects/${shop.projectId}/explore?range=90d`);
    await page.getByLabel('Email').fill(shop.email);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Log in', exact: true }).click();
    await expect(page.locator(curve).first()).toBeAttached();
    expect(new URL(page.url()).pathname).toBe(`/analytics${home}/insights`);
    await page.reload();
    await expect(page.locator(curve).first()).toBeAttached();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter'); // the skip link stays on the page
    await expect(page).toHaveURL(/\/analytics\/projects\/.*\/insights\?range=90d.*#main$/);
    await page.getByRole('link', { name: 'Live', exact: true }).click();
    await expect(page.locator('.page-head').getByRole('status')).toHaveText('Live');
    await page.getByRole('link', { name: 'Install' }).click();
    await expect(page.locator('.code pre').first()).toContainText(`${proxy.url}v1/events`);
    await expect(page.getByRole('link', { name: 'API reference' })).toHaveAttribute('href', '/analytics/docs');
    await page.getByRole('link', { name: 'Nimbus' }).first().click();
    await expect(page).toHaveURL(new RegExp(`^${proxy.url}projects/${shop.projectId}(\\?|$)`));
    expect(outside).toEqual([]);
  } finally {
    proxy.close();
  }
});

for (const [what, take] of [
  ['forbidden', () => ['localStorage', 'sessionStorage'].forEach((name) => Object.defineProperty(window, name, { get: () => { throw new DOMException('denied', 'SecurityError'); } }))],
  ['full', () => { Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }; }],
] as const)
  test(`logging in works with a storage that is ${what}`, async ({ page }) => {
    await page.addInitScript(take);
    await page.goto('/login');
    await page.getByLabel('Email').fill(shop.email);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Log in', exact: true }).click();
    await expect(page.locator('.bars li').first()).toBeVisible();
    await page.getByRole('button', { name: 'Dark' }).click();
    await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
    await page.getByRole('link', { name: 'Events', exact: true }).click();
    await expect(page.locator('.window .event').first()).toBeVisible();
  });

test('a browser that names its zone by an offset, or not at all, shows numbers all the same', async ({ page }) => {
  await logIn(page);
  for (const [said, shown] of [['+05:00', 'Etc/GMT-5'], ['Etc/Unknown', 'UTC']]) {
    await page.addInitScript((zone) => {
      const options = Object.getOwnPropertyDescriptor(Intl.DateTimeFormat.prototype, 'resolvedOptions')!.value as (this: Intl.DateTimeFormat) => Intl.ResolvedDateTimeFormatOptions;
      Intl.DateTimeFormat.prototype.resolvedOptions = function () {
        return { ...options.call(this), timeZone: zone! };
      };
    }, said);
    await page.goto(`${home}/explore?range=30d`);
    await expect(page.locator(curve).first()).toBeAttached();
    await expect(page.getByText(`· ${shown}`)).toBeVisible();
  }
});

test('a start while the server is away waits for it and goes on by itself', async ({ page }) => {
  await logIn(page);
  await page.route('**/v1/**', (route) => route.abort());
  await page.goto(`${home}/explore?range=90d`);
  await expect(page.getByText('Nimbus cannot be reached.')).toBeVisible();
  await page.unrouteAll();
  await expect(page.locator(curve).first()).toBeAttached();
  await expect(page.getByText('Nimbus cannot be reached.')).toBeHidden();
});

test('a page that could not be loaded in an outage opens after it', async ({ page }) => {
  await logIn(page);
  await page.goto(`${home}/explore?range=90d`);
  await expect(page.locator(curve).first()).toBeAttached();
  await page.route(/\/v1\/|AuditPage/, (route) => route.abort());
  await page.getByRole('link', { name: 'Audit log' }).click();
  await expect(page.getByText('This page could not be loaded')).toBeVisible();
  await page.unrouteAll();
  await expect(page.getByRole('heading', { name: 'Audit log', level: 1 })).toBeVisible();
});

test('on a slow network the outline is there before the scripts, and nothing moves when the page comes', async ({ page }) => {
  await logIn(page);
  let go = () => {};
  const held = new Promise<void>((resolve) => (go = resolve));
  await page.route('**/assets/*.js', async (route) => {
    await held;
    await route.continue();
  });
  await page.addInitScript(() => {
    const w = window as { shift?: number };
    w.shift = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((e) => (w.shift! += (e as PerformanceEntry & { value: number }).value))).observe({ type: 'layout-shift', buffered: true });
  });
  await page.goto(`${home}/explore?range=90d`, { waitUntil: 'commit' });
  await expect(page.locator('.outline .sidebar')).toBeVisible();
  go();
  await expect(page.locator(curve).first()).toBeAttached();
  await expect(page.locator('.outline')).toBeHidden();
  expect(await page.evaluate(() => (window as { shift?: number }).shift)).toBeLessThan(0.02);
});
