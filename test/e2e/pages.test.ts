import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import type axe from 'axe-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { View } from './browser.ts';
import { setStage } from './stage.ts';

/** Every page, for everybody: by ear, in the dark, on a phone, and without anything from elsewhere. */

const QUEUE = 'payment-processing';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = JSON.stringify({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] });

const stage = setStage();
let deployment = '';

beforeAll(async () => {
  await stage.hire(QUEUE, 'v1.2.0');
  await stage.hire(QUEUE, 'v1.3.0', 'canary');
  deployment = await stage.system.api.createDeployment('v1.2.0', 'v1.3.0', {
    initial_percentage: 25,
    auto_promotion: true,
    min_duration: '5m',
  });
  await stage.load(QUEUE).goOn(60);
});

type Visit = (view: View) => Promise<void>;

const PAGES: readonly (readonly [string, Visit])[] = [
  [
    'the list',
    async (view) => {
      await view.go('#/deployments');
      await view.page
        .getByText(/% actual/)
        .first()
        .waitFor();
    },
  ],
  [
    'a deployment',
    async (view) => {
      await view.go(`#/deployments/${deployment}`);
      await view.heading(QUEUE);
      await view.page.getByText('Sample size').waitFor();
      await view.page.locator('.chart canvas').first().waitFor();
    },
  ],
  [
    'the workers',
    async (view) => {
      await view.go('#/workers');
      await view.page.getByText(`${QUEUE}-1`).waitFor();
    },
  ],
  [
    'the queues',
    async (view) => {
      await view.go('#/queues');
      await view.page.getByRole('link', { name: QUEUE }).waitFor();
    },
  ],
  [
    'the form',
    async (view) => {
      await view.go('#/deployments');
      await view.page.getByRole('button', { name: 'New deployment' }).click();
      await view.page.getByText('You promote it').first().waitFor();
    },
  ],
  [
    'the keys',
    async (view) => {
      await view.go('#/deployments');
      await view.page.getByRole('link', { name: QUEUE }).waitFor();
      await view.page.keyboard.press('Escape');
      await view.page.getByRole('dialog').waitFor({ state: 'detached' });
      await view.page.keyboard.press('?');
      await view.page.getByRole('dialog', { name: 'Keys' }).waitFor();
    },
  ],
  [
    'signing in',
    async (view) => {
      await view.page.keyboard.press('Escape');
      await view.page.getByRole('dialog').waitFor({ state: 'detached' });
      await view.page.getByRole('button', { name: 'Sign out' }).click();
      await view.page.getByLabel('Token').fill('another-token');
      await view.page.getByRole('button', { name: 'Sign in' }).click();
      await view.page.getByText('The token is not known.').waitFor();
    },
  ],
];

/** What axe finds wrong, in a line each. */
async function violations({ page }: View): Promise<readonly string[]> {
  await page.evaluate(AXE);
  const { violations: found } = await page.evaluate<axe.AxeResults>(`axe.run(document, ${RULES})`);
  return found.flatMap(({ id, help, nodes }) =>
    nodes.map(({ html, any }) => `${id}: ${help}: ${html.slice(0, 200)} ${any[0]?.message ?? ''}`),
  );
}

describe.each([
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['on a phone', { width: 360, height: 780 }],
] as const)('%s', (_name, options) => {
  let view: View;
  beforeAll(async () => {
    view = await stage.open(options);
  });
  // One that is hidden goes on working.
  afterAll(() => view[Symbol.asyncDispose]());

  test.each(PAGES)('%s is accessible, fits, and keeps to itself', async (_page, visit) => {
    await visit(view);
    expect(await violations(view)).toEqual([]);
    expect(await view.overflow()).toBe(0);
    expect(view.troubles).toEqual([]);
  });
});
