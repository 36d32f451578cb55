import { test as base, type Page } from '@playwright/test';
import { password, type Shop } from './seed';

export const shop = JSON.parse(process.env['NIMBUS_E2E_SHOP'] ?? '{}') as Shop;
export const url = process.env['NIMBUS_E2E_URL'] ?? '';
export const home = `/projects/${shop.projectId}`;

/** Logs a browser in as the page would, without the form: each test has a session of its own. */
export async function logIn(page: Page, email = shop.email, at = url) {
  const response = await page.context().request.post(`${at}/v1/auth/login`, { data: { email, password, session: 'cookie' } });
  if (!response.ok()) throw new Error(`log in: ${response.status()}`);
  await page.addInitScript(() => localStorage.setItem('nimbus.session', '1'));
}

/** Fails a test whose page logs an error: above all what the Content-Security-Policy refused. */
export const test = base.extend<{ quiet: void }>({
  quiet: [
    async ({ page }, use) => {
      const errors: string[] = [];
      page.on('pageerror', (e) => errors.push(e.message));
      page.on('console', (m) => {
        if (m.type() === 'error' && !m.text().startsWith('Failed to load resource')) errors.push(m.text());
      });
      await use();
      base.expect(errors).toEqual([]);
    },
    { auto: true },
  ],
});
export { expect } from '@playwright/test';
