import { execFile } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { LanewiseProcess, temporaryDirectory } from '../helpers/process.ts';
import { freePort } from '../helpers/redis.ts';
import { readPage, ROOT, sectionOf, shellBlocks } from './pages.ts';

/**
 * The README's promise: paste the tour's blocks one by one, and they do what it says. Here they are pasted into one
 * shell, with other ports, and what each of them prints is looked at.
 */

const MARK = '=== next block';

/** The default addresses and the workers' ports, as the README writes them, by what they are in this run. */
async function movedTo(lanewise: LanewiseProcess): Promise<(block: string) => string> {
  const [, control] = await lanewise.printed(/API +http:\/\/(127\.0\.0\.1:\d+)/);
  const [, dispatch] = await lanewise.printed(/Dispatch +http:\/\/(127\.0\.0\.1:\d+)/);
  const [, admin] = await lanewise.printed(/Admin +http:\/\/(127\.0\.0\.1:\d+)/);
  const places = new Map([
    ['127.0.0.1:8080', control!],
    ['127.0.0.1:8090', dispatch!],
    ['127.0.0.1:8091', admin!],
  ]);
  for (const port of ['3001', '3002', '3003', '3004']) places.set(port, String(await freePort()));
  const [w1, w2, w3] = ['3001', '3002', '3003'].map((port) => places.get(port));
  return (block) => {
    // The range is of neighbours in the README; here they are where there was room.
    let moved = block.replace('[3001-3003]', `{${w1},${w2},${w3}}`);
    for (const [from, to] of places) moved = moved.replaceAll(from, to);
    return moved;
  };
}

/** What each block printed. */
async function paste(blocks: readonly string[], directory: string): Promise<readonly string[]> {
  const script = blocks.map((block) => `echo '${MARK}'\n${block}`).join('\n');
  // Workers must not outlive a tour that hangs.
  const tidy = `trap 'kill $(jobs -p) 2>/dev/null' EXIT`;
  const { stdout } = await promisify(execFile)('bash', ['-c', `${tidy}\n${script}`], {
    cwd: directory,
    timeout: 60_000,
  });
  return stdout.split(`${MARK}\n`).slice(1);
}

/** Jobs by version, as `sort | uniq -c` shows them. */
function counts(output: string): Readonly<Record<string, number>> {
  const lines = output.matchAll(/^ *(\d+) "version":"([^"]+)"$/gm);
  return Object.fromEntries([...lines].map(([, count, version]) => [version!, Number(count)]));
}

test("the README's tour does what it says", { timeout: 90_000 }, async () => {
  await using stack = new AsyncDisposableStack();
  const directory = await temporaryDirectory(stack);
  await mkdir(join(directory, '.lanewise'));
  await symlink(join(ROOT, 'docs'), join(directory, 'docs'));
  const lanewise = stack.use(
    LanewiseProcess.start(['standalone'], {
      LANEWISE_DATA_DIR: join(directory, '.lanewise'),
      // As by default: whoever pastes it all at once must not run into the limit either.
      LANEWISE_RATE_LIMIT_PER_MINUTE: '100',
    }),
  );
  const move = await movedTo(lanewise);

  const printed = await paste(shellBlocks(sectionOf(readPage('README.md'), '## Tour')).map(move), directory);
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

  expect(await lanewise.end('SIGINT')).toEqual({ code: 0, signal: null });
});
