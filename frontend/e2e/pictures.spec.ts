/** The pictures of the documentation; run by `npm run pictures` only, because they change with every browser and font. */
import { join } from 'node:path';
import { expect, home, logIn, test } from './fixtures';

const images = join(import.meta.dirname, '../../docs/images');

for (const [name, path, ready] of [
  ['overview', home, '.bars li'],
  ['trends', `${home}/insights?series=${encodeURIComponent(JSON.stringify([{ event: 'page_view' }, { event: 'search' }, { event: 'purchased' }]))}&range=30d`, '.plot svg .line path'],
  ['funnel', `${home}/insights?kind=funnel&range=30d&steps=${encodeURIComponent(JSON.stringify([{ event: 'page_view' }, { event: 'search' }, { event: 'purchased' }]))}`, '.marks rect'],
] as const) {
  test(name, async ({ page, colorScheme }) => {
    await logIn(page);
    await page.goto(path);
    await expect(page.locator(ready).first()).toBeVisible();
    await page.waitForLoadState('networkidle'); // the periods before have come, too
    await page.screenshot({ path: join(images, `dashboard-${name}-${colorScheme}.png`), animations: 'disabled' });
  });
}
