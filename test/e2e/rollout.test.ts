import { expect, test } from 'vitest';
import { until } from '../helpers/patience.ts';
import { setStage } from './stage.ts';

/** What an operator does with the dashboard, from the first deployment to the promoted one, in a real browser. */

const QUEUE = 'payment-processing';

const stage = setStage();

test('a deployment is created in the form, moved, rolled back by the judge, and another one is promoted', async () => {
  const { api } = stage.system;
  await stage.hire(QUEUE, 'v1.2.0');
  await stage.hire(QUEUE, 'v1.2.0');
  const canary = await stage.hire(QUEUE, 'v1.3.0', 'canary', 0.4);
  const load = stage.load(QUEUE);
  const view = await stage.open();
  const { page } = view;

  // Nothing is there yet, and the page says what to do.
  await page.getByRole('heading', { name: 'No deployment yet' }).waitFor();
  await page.getByRole('button', { name: 'New deployment' }).click();
  const form = page.getByRole('dialog');
  await form.getByText('You promote it').first().waitFor();

  // What is wrong is said in the API's words, at the field.
  await form.getByLabel(/^Queue/).fill('payment processing');
  await form.getByLabel(/^Stable version/).fill('v1.2.0');
  await form.getByLabel(/^Canary version/).fill('v1.2.0');
  await form.getByLabel('Share to begin with').fill('250');
  await form.getByRole('button', { name: 'Create deployment' }).click();
  await form.getByText('Canary version must differ from stable_version').waitFor();
  await form.getByText(/^Queue must be 1 to 128 letters/).waitFor();
  await form.getByText(/^Share to begin with must be a number from 0 to 100/).waitFor();

  await form.getByLabel(/^Queue/).fill(QUEUE);
  await form.getByLabel(/^Canary version/).fill('v1.3.0');
  await form.getByLabel('Share to begin with').fill('');
  await form.getByText('More settings').click();
  await form.getByLabel('Routing strategy').selectOption('hash_ring');
  await form.getByRole('button', { name: 'Create deployment' }).click();
  await view.heading(QUEUE);
  await page.getByText('Canary deployment created').waitFor();
  await page.getByText('1 of 1').waitFor();

  // The slider, and what it will do, before it is done.
  const slider = page.getByRole('slider', { name: 'Share of the canary, percent' });
  await slider.focus();
  for (let i = 0; i < 3; i++) await page.keyboard.press('PageUp');
  const wanted = await slider.inputValue();
  expect(Number(wanted)).toBeGreaterThan(0);
  await page.getByRole('button', { name: 'Set share…' }).click();
  await page.getByText('of the keys move from stable to the canary').waitFor();
  await page.getByRole('button', { name: /^Set \d+/ }).click();
  await page.getByText(`Traffic split updated to ${wanted}%`).waitFor();
  await until(() => canary.jobs.length > 0);

  // A canary that fails goes before the eyes.
  await page.getByText(/^Deployment rolled back: Error rate increase/).waitFor();
  await page.getByText('Rolled back after').waitFor();
  await page.getByText('failed', { exact: true }).first().waitFor();
  expect(await slider.count()).toBe(0);
  const id = new URL(page.url()).hash.split('/').at(-1)!;
  expect(await api.done('GET', `/deployments/${id}`)).toMatchObject({ status: 'failed', current_percent: 0 });

  // Another one, which is good.
  await stage.hire(QUEUE, 'v1.4.0', 'canary');
  await page.keyboard.press('n');
  await form.getByLabel(/^Queue/).fill(QUEUE);
  await form.getByLabel(/^Stable version/).fill('v1.2.0');
  await form.getByLabel(/^Canary version/).fill('v1.4.0');
  await form.getByLabel('Share to begin with').fill('50');
  await form.getByText('More settings').click();
  await form.getByLabel('Routing strategy').selectOption('hash_ring');
  await form.getByRole('button', { name: 'Create deployment' }).click();
  await page.getByText('v1.4.0').first().waitFor();
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByText('Paused: the share is held').waitFor();
  await page.getByRole('button', { name: 'Resume' }).click();
  await page.getByText('By hand: nobody moves the share but you').waitFor();
  await page.getByRole('button', { name: 'Promote…' }).click();
  await page.getByText('All jobs of').waitFor();
  await page.getByRole('button', { name: 'Promote', exact: true }).click();
  await page.getByText('Promoted after').waitFor();
  await load.goOn(20);
  expect(await stage.system.proxy.versionsOf(20)).toEqual(new Set(['v1.4.0']));
  expect(view.troubles).toEqual([]);
});
