import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadOrCreateToken } from '../../control/token-file.ts';
import { temporaryDirectory } from './harness.ts';

test('a token is made once, for its owner only, and found again', async () => {
  const dataDir = join(await temporaryDirectory(), 'not', 'yet');
  const first = await loadOrCreateToken(dataDir);
  expect(first).toMatchObject({ created: true, path: join(dataDir, 'token') });
  expect(Buffer.from(first.token, 'base64url')).toHaveLength(32);
  expect((await stat(first.path)).mode & 0o777).toBe(0o600);
  expect(await readFile(first.path, 'utf8')).toBe(`${first.token}\n`);
  expect(await loadOrCreateToken(dataDir)).toEqual({ ...first, created: false });
});

test('two processes that start at once agree on one token', async () => {
  const dataDir = await temporaryDirectory();
  const tokens = await Promise.all(Array.from({ length: 8 }, () => loadOrCreateToken(dataDir)));
  expect(new Set(tokens.map((t) => t.token)).size).toBe(1);
  expect(tokens.filter((t) => t.created)).toHaveLength(1);
  expect(await readdir(dataDir)).toEqual(['token']);
});

test('a token that others could read is closed to them again', async () => {
  const dataDir = await temporaryDirectory();
  const { path, token } = await loadOrCreateToken(dataDir);
  await chmod(path, 0o644);
  expect((await loadOrCreateToken(dataDir)).token).toBe(token);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

describe('where no token can be kept, the message says what to do', () => {
  test('in a file that holds something else', async () => {
    const dataDir = await temporaryDirectory();
    await writeFile(join(dataDir, 'token'), 'short');
    await expect(loadOrCreateToken(dataDir)).rejects.toThrow(/does not hold a token; remove the file/);
  });

  test('under a file', async () => {
    const file = join(await temporaryDirectory(), 'file');
    await writeFile(file, '');
    await expect(loadOrCreateToken(join(file, 'data'))).rejects.toThrow(
      /Cannot keep the generated token in .*LANEWISE_DATA_DIR/,
    );
  });
});
