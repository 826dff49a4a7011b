import { expect, test } from 'vitest';
import { DASHBOARD_DIRECTORY, readDashboard } from '../../control/dashboard-files.ts';
import { startControlServer } from '../../control/server.ts';
import { created, openControl, SECRETS } from '../control/harness.ts';
import { until } from '../helpers/patience.ts';
import { View } from './browser.ts';
import { setStage } from './stage.ts';

/** What happens around an operator: no mouse, a control plane that restarts, jobs that die, a token that may not. */

const QUEUE = 'payment-processing';
const LISTED = 'mail';

const stage = setStage({
  LANEWISE_QUEUES: `{${LISTED}: {routing_strategy: split_queue, max_attempts: 1}}`,
});

/** The name of what has the focus, and whether it is in a dialog. */
async function focus({ page }: View): Promise<{ text: string; tag: string; isInDialog: boolean }> {
  return page.evaluate(`({
    text: document.activeElement?.textContent ?? '',
    tag: document.activeElement?.tagName ?? '',
    isInDialog: document.activeElement?.closest('dialog') !== null,
  })`);
}

/** Goes on with the key until something of that name, or kind, has the focus. */
async function tabTo(view: View, wanted: (focused: { text: string; tag: string }) => boolean): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    if (wanted(await focus(view))) return;
    await view.page.keyboard.press('Tab');
  }
  throw new Error(`the keyboard does not get there; it is at ${(await focus(view)).text}`);
}

test('everything can be done with the keyboard alone', async () => {
  await stage.hire(QUEUE, 'v1');
  await stage.hire(QUEUE, 'v2', 'canary');
  const view = await stage.open();
  const { page } = view;
  const { keyboard } = page;

  await keyboard.press('n');
  await page.getByRole('dialog', { name: 'New deployment' }).waitFor();
  await keyboard.type(QUEUE);
  for (const version of ['', 'v1', 'v2']) {
    await keyboard.press('Tab');
    await keyboard.type(version);
  }
  await keyboard.press('Enter');
  await view.heading(QUEUE);

  await keyboard.press('g');
  await keyboard.press('d');
  await view.heading('Deployments');
  await page.getByRole('link', { name: QUEUE }).waitFor();
  await keyboard.press('j');
  expect((await focus(view)).text).toBe(QUEUE);
  await keyboard.press('Enter');
  await view.heading(QUEUE);

  // A dialog keeps the focus, and gives it back.
  await keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  for (let presses = 0; presses < 4; presses++) await keyboard.press('Tab');
  await keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });

  const rollBack = page.getByRole('button', { name: 'Roll back…' });
  await rollBack.waitFor();
  await tabTo(view, ({ text }) => text === 'Roll back…');
  await keyboard.press('Enter');
  await page.getByRole('dialog', { name: 'Roll back v2?' }).waitFor();
  await keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await until(async () => (await focus(view)).text === 'Roll back…');
  await keyboard.press('Enter');
  await page.getByRole('dialog', { name: 'Roll back v2?' }).waitFor();
  await tabTo(view, ({ tag }) => tag === 'TEXTAREA');
  expect((await focus(view)).isInDialog).toBe(true);
  await keyboard.type('Declined cards');
  await tabTo(view, ({ text }) => text === 'Roll back');
  await keyboard.press('Enter');
  await page.getByText('Deployment rolled back: Declined cards').waitFor();

  await keyboard.press('g');
  await keyboard.press('w');
  await view.heading('Workers');
  await keyboard.press('g');
  await keyboard.press('q');
  await view.heading('Queues');
  expect(view.troubles).toEqual([]);
});

test('says that what it shows is out of date while the control plane is away, and goes on when it is back', async () => {
  const { system } = stage;
  await stage.hire('restarted', 'v1');
  const id = await system.api.createDeployment('v1', 'v2', { queue_name: 'restarted' });
  const view = await stage.open();
  const { page } = view;
  await view.go(`#/deployments/${id}`);
  await view.heading('restarted');
  await page.getByText('Sample size').waitFor();
  const notice = page.getByText(/What you see is of \d\d:\d\d:\d\d/);
  expect(await notice.count()).toBe(0);

  await system.process.end('SIGTERM');
  await notice.waitFor();
  await page.getByText('stale', { exact: true }).waitFor();
  await system.restart('SIGTERM');
  await notice.waitFor({ state: 'detached' });
  await page.getByText('live', { exact: true }).waitFor();

  await system.api.setPercentage(id, 12.5);
  await page.getByText('Traffic split updated to 12.5%').waitFor();
  expect(view.troubles).toEqual([]);
});

test('a list says so too, and reads again', async () => {
  const view = await stage.open();
  const { page } = view;
  await view.go('#/queues');
  await view.heading('Queues');
  // As if the network were gone.
  await page.context().setOffline(true);
  await page.getByText(/The control plane does not answer. What you see is of/).waitFor();
  await page.context().setOffline(false);
  await page.getByText(/What you see is of/).waitFor({ state: 'detached' });
  expect(view.troubles).toEqual([]);
});

test('jobs that have died are listed with their history, requeued and dropped', async () => {
  const worker = await stage.hire(LISTED, 'v1', 'stable', 1);
  for (let jobs = 0; jobs < 3; jobs++)
    await stage.system.proxy.send({ 'x-job-id': `letter-${jobs}` }, LISTED);
  await until(() => worker.jobs.length === 3);
  const view = await stage.open();
  const { page } = view;
  await view.go('#/queues');
  await page
    .getByText(/3\s*dead letters/)
    .first()
    .waitFor();
  await page.getByRole('link', { name: LISTED }).click();
  await view.heading(LISTED);
  const letter = page.locator('.dead-name', { hasText: 'letter-1' });
  await letter.click();
  await page
    .locator('details[open]')
    .getByText(/failure with status 500, v1 on/)
    .waitFor();

  await page.getByLabel('Select letter-1').check();
  await page.getByRole('button', { name: 'Drop 1…' }).click();
  await page.getByRole('button', { name: 'Drop for good' }).click();
  await letter.waitFor({ state: 'detached' });

  worker.answer = (_job, response) => response.end();
  await page.getByRole('button', { name: 'Requeue all…' }).click();
  await page.getByRole('button', { name: 'Requeue', exact: true }).click();
  await page.getByRole('heading', { name: 'No dead letters' }).waitFor();
  await until(() => worker.jobs.length === 5);
  expect(view.troubles).toEqual([]);
});

test('a token that may only look finds the rest switched off, with the reason', async () => {
  await using stack = new AsyncDisposableStack();
  const control = await openControl({ dashboard: await readDashboard(DASHBOARD_DIRECTORY) });
  const server = await startControlServer({ app: control.app, host: '127.0.0.1', port: 0 });
  stack.defer(() => server.close(0));
  const id = await created(control);
  const view = stack.use(await View.open(stage.browser, server.url));
  const { page } = view;
  await view.signIn(SECRETS.viewer);
  expect(new URL(page.url()).hash).toBe('#/deployments');
  await view.go(`#/deployments/${id}`);
  const promote = page.getByRole('button', { name: 'Promote…' });
  await promote.waitFor();
  expect(await promote.getAttribute('aria-disabled')).toBe('true');
  expect(await promote.getAttribute('title')).toBe(
    'grafana is a viewer: it may look, but not change anything',
  );
  expect(await page.getByRole('slider').isDisabled()).toBe(true);
  await promote.click({ force: true });
  await page.keyboard.press('n');
  expect(await page.getByRole('dialog').count()).toBe(0);
  expect(view.troubles).toEqual([]);
});

test('when the API asks for a rest, the page says so, rests, and goes on', async () => {
  await using stack = new AsyncDisposableStack();
  const control = await openControl({
    dashboard: await readDashboard(DASHBOARD_DIRECTORY),
    rateLimit: { perMinute: 30, burst: 5 },
  });
  const server = await startControlServer({ app: control.app, host: '127.0.0.1', port: 0 });
  stack.defer(() => server.close(0));
  const view = stack.use(await View.open(stage.browser, server.url));
  const { page } = view;
  await view.signIn(SECRETS.operator);
  for (let visits = 0; visits < 6; visits++) {
    for (const [hash, heading] of [
      ['#/workers', 'Workers'],
      ['#/queues', 'Queues'],
    ] as const) {
      await view.go(hash);
      await view.heading(heading);
    }
  }
  await page.getByText(/The API asks for a rest: the rate limit is reached/).waitFor();
  await page.getByText(/The API asks for a rest/).waitFor({ state: 'detached' });
  await page.getByRole('heading', { name: 'No queue is known yet' }).waitFor();
  expect(view.troubles).toEqual([]);
});
