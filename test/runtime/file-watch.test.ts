import { rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { startFileWatch, type FileWatch } from '../../src/runtime/file-watch.ts';
import { createLog } from '../../src/runtime/log.ts';
import { temporaryDirectory } from '../helpers/process.ts';
import { until } from '../helpers/patience.ts';

/** Looks every few milliseconds. */
async function watching(): Promise<{ files: FileWatch; directory: string; lines: string[] }> {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const lines: string[] = [];
  const destination = new Writable({
    write(line: Buffer, _encoding, done) {
      lines.push(line.toString());
      done();
    },
  });
  const directory = await temporaryDirectory(stack);
  const files = startFileWatch(createLog('info', destination), 5);
  stack.defer(() => files.close());
  return { files, directory, lines };
}

test('a file that has changed is taken, and one that has not is left alone', async () => {
  const { files, directory, lines } = await watching();
  const [changed, same] = [join(directory, 'changed'), join(directory, 'same')];
  await Promise.all([writeFile(changed, '1'), writeFile(same, '1')]);
  const taken: string[] = [];
  for (const path of [changed, same])
    files.add({ name: path, paths: [path], reload: () => void taken.push(path) });
  await writeFile(changed, '2');
  await until(() => taken.length > 0);
  expect(taken).toEqual([changed]);
  expect(lines.some((line) => line.includes('reloaded from its files') && line.includes(changed))).toBe(true);
});

test('a link that leads elsewhere is a change, as in a volume of Kubernetes', async () => {
  const { files, directory } = await watching();
  const link = join(directory, 'link');
  await Promise.all([writeFile(join(directory, 'a'), 'same'), writeFile(join(directory, 'b'), 'same')]);
  await symlink('a', link);
  let taken = 0;
  files.add({ name: 'link', paths: [link], reload: () => void taken++ });
  await symlink('b', `${link}.next`);
  await rename(`${link}.next`, link);
  await until(() => taken === 1);
});

test('what can not be taken is said once, and tried again when it has changed again', async () => {
  const { files, directory, lines } = await watching();
  const path = join(directory, 'file');
  await writeFile(path, '1');
  let isGood = false;
  files.add({
    name: 'tokens',
    paths: [path],
    reload() {
      if (!isGood) throw new Error('no good');
    },
  });
  await rm(path);
  const failures = (): string[] => lines.filter((line) => line.includes('not reloaded'));
  await until(() => failures().length === 1);
  expect(failures()[0]).toContain('no good');
  isGood = true;
  await writeFile(path, '2');
  await until(() => lines.some((line) => line.includes('"what":"tokens","msg":"reloaded')));
  expect(failures()).toHaveLength(1);
});

test('all are taken when that is asked for', async () => {
  const { files, directory } = await watching();
  let taken = 0;
  files.add({ name: 'a', paths: [join(directory, 'none')], reload: () => void taken++ });
  files.add({ name: 'no files', paths: [], reload: () => void taken++ });
  files.reloadAll();
  expect(taken).toBe(1);
});
