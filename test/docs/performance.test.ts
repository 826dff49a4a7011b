import { expect, test } from 'vitest';
import { OURS, type BenchRun } from '../bench/run.ts';
import { readPage } from './pages.ts';
import { performancePage } from './performance-page.ts';

test('docs/performance.md shows the run that is kept beside it, as `npm run docs:api` writes it', async () => {
  expect(readPage('docs/performance.md')).toBe(await performancePage());
});

test('the run that is kept has Lanewise beside its peers', () => {
  const run = JSON.parse(readPage('docs/performance-run.json')) as BenchRun;
  const names = run.proxies.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining([OURS, 'HAProxy', 'nginx', 'fast-proxy', 'http-proxy-3']));
});
