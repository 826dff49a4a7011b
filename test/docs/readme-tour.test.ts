import { expect, test } from 'vitest';
import { readPage, sectionOf, shellBlocks } from './pages.ts';
import { counts, Reader } from './shell.ts';

/** The README's promise: paste the tour's blocks one by one, and they do what it says. */

test("the README's tour does what it says", { timeout: 300_000 }, async () => {
  await using stack = new AsyncDisposableStack();
  const reader = await Reader.start(stack, ['3001', '3002', '3003', '3004']);
  const printed = await reader.paste(shellBlocks(sectionOf(readPage('README.md'), '## Tour')));
  const [
    setUp = '',
    workers = '',
    registered = '',
    created = '',
    dispatched = '',
    at10 = '',
    split10 = '',
    sticky = '',
    at50 = '',
    metrics = '',
    mistakes = '',
    rolledBack = '',
    promoted = '',
    forgotten = '',
    cleanedUp = '',
  ] = printed;
  expect(printed).toHaveLength(15);

  expect(setUp).toBe('');
  expect(workers.match(/"version":"[^"]+"/g)).toEqual([
    '"version":"v1.2.0"',
    '"version":"v1.2.0"',
    '"version":"v1.3.0"',
  ]);
  expect(registered.match(/"status":"healthy"/g)).toHaveLength(3);
  expect(created).toContain('"current_percent":0,');
  expect(created).toContain('"status":"active"');

  expect(dispatched).toMatch(/^HTTP\/1\.1 200 OK\r$/m);
  expect(dispatched).toMatch(/^X-Job-Id: order-1\r$/m);
  expect(dispatched).toMatch(/^X-Canary-Lane: stable\r$/m);

  expect(at10).toContain('"percentage":10');
  expect(at10).toMatch(/"proxies":1,"applied":1}/);
  // Ten standard deviations to either side.
  expect(counts(split10)).toEqual({ 'v1.2.0': expect.any(Number), 'v1.3.0': expect.any(Number) });
  expect(counts(split10)['v1.2.0']! + counts(split10)['v1.3.0']!).toBe(1000);
  expect(counts(split10)['v1.3.0']).toBeGreaterThan(5);
  expect(counts(split10)['v1.3.0']).toBeLessThan(195);

  const placed = sticky.trim().split(/\r?\n/);
  expect(placed).toHaveLength(6);
  expect(new Set(placed.filter((line) => line.startsWith('X-Canary-Lane'))).size).toBe(1);
  expect(new Set(placed.filter((line) => line.startsWith('X-Canary-Worker'))).size).toBe(1);

  expect(at50).toContain('"percentage":50');
  expect(counts(at50)['v1.3.0']).toBeGreaterThan(340);
  expect(counts(at50)['v1.3.0']).toBeLessThan(660);

  const samples = [...metrics.matchAll(/^canary_jobs_total\{.*\} (\d+)$/gm)];
  expect(samples.reduce((sum, [, value]) => sum + Number(value), 0)).toBe(2004);

  expect(mistakes.match(/"code":"[^"]+"/g)).toEqual([
    '"code":"INVALID_PERCENTAGE"',
    '"code":"VALIDATION_FAILED"',
    '"code":"NO_WORKER_AVAILABLE"',
  ]);
  expect(rolledBack).toContain('"reason":"Too many declined cards"');
  expect(counts(rolledBack)).toEqual({ 'v1.2.0': 1000 });
  expect(rolledBack).toContain('"type":"deployment_rolled_back"');

  expect(promoted).toContain('"message":"Deployment promoted to 100%"');
  expect(counts(forgotten)).toEqual({ 'v1.4.0': 1000 });
  expect(cleanedUp.trim()).toBe('');

  expect(await reader.lanewise.end('SIGINT')).toEqual({ code: 0, signal: null });
});
