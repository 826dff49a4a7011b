import { expect, test } from 'vitest';
import { Standalone } from '../helpers/system.ts';
import { startBrowser, View } from './browser.ts';

test('the page at /docs works under a policy that lets nothing inline run or style', async () => {
  await using system = await Standalone.start();
  await using stack = new AsyncDisposableStack();
  const browser = await startBrowser();
  stack.defer(() => browser.close());
  const view = stack.use(await View.open(browser, system.api.url));
  const answer = await view.page.goto(`${system.api.url}/docs`);
  expect(answer!.headers()['content-security-policy']).not.toContain('unsafe');
  await view.page.locator('.opblock').first().click();
  await view.page.locator('.opblock.is-open').getByText('Try it out').click();
  await view.page.locator('.opblock.is-open').getByText('Execute').click();
  // No token was given.
  await view.page.locator('.live-responses-table').getByText('UNAUTHORIZED').first().waitFor();
  expect(view.troubles).toEqual([]);
});
