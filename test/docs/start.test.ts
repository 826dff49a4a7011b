import { expect, test } from 'vitest';
import { readPage, shellBlocks } from './pages.ts';
import { counts, Reader } from './shell.ts';

/** docs/start.md, pasted block by block. */

test('a worker of one’s own gets from nothing to a promoted canary', { timeout: 300_000 }, async () => {
  await using stack = new AsyncDisposableStack();
  const reader = await Reader.start(stack, ['3001', '3002']);
  const [start, ...blocks] = shellBlocks(readPage('docs/start.md'));
  // That one is running already.
  expect(start).toBe('npm ci && npm start\n');
  const printed = await reader.paste(blocks);
  const [
    status = '',
    written = '',
    started = '',
    registered = '',
    dispatched = '',
    at20 = '',
    looked = '',
    promoted = '',
    without = '',
    cleanedUp = '',
  ] = printed;
  expect(printed).toHaveLength(10);

  expect(status).toMatch(/proxies/i);
  expect(written + started).toBe('');
  expect(registered).toMatch(/mail-1/);
  expect(registered).toMatch(/mail-2/);
  expect(registered).toMatch(/canary_[0-9a-f-]{36}/);
  expect(dispatched).toBe('v1 has sent a mail to ada@example.com\n');

  // 40, ± 5 standard deviations.
  const split = counts(at20);
  expect(split['v1']! + split['v2']!).toBe(200);
  expect(Math.abs(split['v2']! - 40)).toBeLessThan(5 * Math.sqrt(200 * 0.2 * 0.8));
  expect(looked).toMatch(/v1/);
  expect(looked).toMatch(/v2/);
  expect(looked).toMatch(/20 ?%/);

  expect(counts(promoted)['v2']).toBe(200);
  expect(without).toContain('v2 has sent a mail to grace@example.com\n');
  expect(cleanedUp).not.toMatch(/error/i);
  expect(await reader.lanewise.end('SIGINT')).toEqual({ code: 0, signal: null });
});
