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

/** Waits until the page has said something that it takes back by itself after a while, and may have taken back by now. */
export const said = (page: Page, text: string) => base.expect.poll(() => page.evaluate(() => (window as { said?: string[] }).said)).toContainEqual(base.expect.stringContaining(text));

/** Chooses in the picker that is open, by typing. What it offers may still be on its way. */
export async function choose(page: Page, text: string) {
  const list = page.locator('.popover');
  await list.getByRole('combobox').fill(text);
  await list.getByRole('option').filter({ hasText: text }).first().waitFor();
  await page.keyboard.press('Enter');
}

/** Chooses in the picker of this name, by typing. */
export async function pick(page: Page, label: string | RegExp, text: string) {
  await page.getByRole('button', { name: label }).click();
  await choose(page, text);
}

/** Keeps what `said` asks for. */
function listen() {
  const heard: string[] = ((window as { said?: string[] }).said = []);
  const observer = new MutationObserver((changes) => {
    for (const { addedNodes } of changes) for (const node of addedNodes) if (node instanceof Element && node.matches('.toast, .banner')) heard.push(node.textContent);
  });
  observer.observe(document, { childList: true, subtree: true });
}

/** Fails a test whose page logs an error: above all what the Content-Security-Policy refused. */
export const test = base.extend<{ quiet: void }>({
  quiet: [
    async ({ page }, use) => {
      const errors: string[] = [];
      page.on('pageerror', (e) => errors.push(e.message));
      page.on('console', (m) => {
        if (m.type() === 'error' && !/^(Failed to load resource|WebSocket connection to .* failed)/.test(m.text())) errors.push(m.text());
      });
      await page.addInitScript(listen);
      await use();
      base.expect(errors).toEqual([]);
    },
    { auto: true },
  ],
});
export { expect } from '@playwright/test';
