import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { ROOT } from '../docs/pages.ts';
import { until } from '../helpers/patience.ts';
import type { View, ViewOptions } from './browser.ts';
import { setStage } from './stage.ts';

/**
 * The pictures of the docs. They are made anew only when they are asked for (`npm run docs:screenshots`), since they
 * differ each time; what they show is looked for every time.
 */

const IMAGES = join(ROOT, 'docs/images');
const IS_ASKED_FOR = process.env['DOCS_SCREENSHOTS'] === '1';
const QUEUE = 'payment-processing';

const stage = setStage();
let deployment = '';

beforeAll(async () => {
  const { api } = stage.system;
  for (const version of ['v1.2.0', 'v1.2.0', 'v1.2.0']) await stage.hire(QUEUE, version);
  await stage.hire(QUEUE, 'v1.3.0', 'canary');
  await stage.hire('thumbnails', 'v7');
  await stage.hire('thumbnails', 'v8', 'canary');
  await stage.hire('mail', '2024.11');
  await stage.hire('mail', '2024.12', 'canary', 0.05);
  const older = await api.createDeployment('v7', 'v8', { queue_name: 'thumbnails', created_by: 'ci' });
  await api.promote(older);
  await api.createDeployment('2024.11', '2024.12', {
    queue_name: 'mail',
    initial_percentage: 20,
    auto_rollback: false,
    created_by: 'ben',
  });
  deployment = await api.createDeployment('v1.2.0', 'v1.3.0', {
    auto_promotion: true,
    stages: [
      { percentage: 5, duration: '5m' },
      { percentage: 25, duration: '5m' },
      { percentage: 50, duration: '5m' },
    ],
    min_duration: '12m',
    created_by: 'ana',
  });
  stage.load(QUEUE);
  stage.load('mail');
  if (IS_ASKED_FOR) {
    await mkdir(IMAGES, { recursive: true });
    // Some of the first stage, and half a minute of the second.
    const jobs = async (): Promise<number> => {
      const { canary } = await api.done('GET', `/deployments/${deployment}/metrics`);
      return (canary as { job_count: number }).job_count;
    };
    await until(async () => (await jobs()) > 40);
    await api.setPercentage(deployment, 25);
    await until(async () => (await jobs()) > 250);
  }
});

async function toDeployment(view: View): Promise<void> {
  await view.go(`#/deployments/${deployment}`);
  await view.heading(QUEUE);
  await view.page.getByText(/^Stage \d of 3/).waitFor();
  await view.page.getByText('Sample size').waitFor();
  await view.page.locator('.chart canvas').nth(2).waitFor();
  await view.page
    .getByText(/evidence .* of/)
    .first()
    .waitFor();
}

async function toList(view: View): Promise<void> {
  await view.page
    .getByText(/% actual/)
    .first()
    .waitFor();
  await view.page.locator('.badge', { hasText: 'completed' }).waitFor();
}

test.each<readonly [string, ViewOptions, (view: View) => Promise<void>]>([
  ['deployments', { width: 1200, height: 480 }, toList],
  ['deployment', { width: 1200, height: 1010 }, toDeployment],
  ['deployment-dark', { width: 1200, height: 1010, colorScheme: 'dark' }, toDeployment],
  ['phone', { width: 390, height: 844 }, toDeployment],
])('%s has what its picture shows', async (name, options, visit) => {
  const view = await stage.open(options);
  await visit(view);
  if (IS_ASKED_FOR) await view.page.screenshot({ path: join(IMAGES, `dashboard-${name}.png`) });
  expect(view.troubles).toEqual([]);
});
