/** An operator makes an account, its person sets a password by the link, and the operator shuts it out. */
import { expect, logIn, said, shop, test } from './fixtures';
import { emailOf, password } from './seed';

test('an operator makes an account, whose person sets a password by its link, and disables it', async ({ page, browser }) => {
  await logIn(page, shop.email); // the first account of this server
  await page.goto('/account');
  await page.getByRole('link', { name: 'This server' }).click();
  await expect(page.getByRole('row', { name: new RegExp(`^${shop.email}`) })).toContainText('Operator');
  const grace = emailOf('made');
  await page.getByLabel('New account').fill(grace);
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  const link = (await page.getByText(/\/reset#np_/).textContent())!;

  const hers = await (await browser.newContext()).newPage();
  await hers.goto(link);
  await hers.getByLabel('New password').fill(password);
  await hers.getByRole('button', { name: 'Set password' }).click();
  await expect(hers.getByText('Create your first project')).toBeVisible();
  await hers.goto('/instance');
  await expect(hers.getByText('This is for the operators of this server.').first()).toBeVisible();

  await page.getByLabel('Search addresses').fill(grace);
  const row = page.getByRole('row', { name: new RegExp(grace) });
  await row.getByRole('button', { name: 'Disable' }).click();
  await said(page, `${grace} was changed.`);
  await expect(row).toContainText('Disabled');
  await hers.context().close();
});
