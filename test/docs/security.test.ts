import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { LanewiseProcess, temporaryDirectory } from '../helpers/process.ts';
import { readPage, sectionOf, shellBlocks } from './pages.ts';

const run = promisify(execFile);

test('the recipe for a CA of your own makes what a control plane and curl need', async () => {
  await using stack = new AsyncDisposableStack();
  const cwd = await temporaryDirectory(stack);
  const recipe = sectionOf(readPage('docs/security.md'), '### A CA of your own');
  const [make, ask] = shellBlocks(recipe) as [string, string];
  await run('sh', ['-e', '-c', make], { cwd });

  const [, yaml] = /```yaml\n(.*?)```/s.exec(recipe)!;
  const file = join(cwd, 'lanewise.yaml');
  await writeFile(file, yaml!.replaceAll(/: (\w+\.(?:pem|key))$/gm, `: ${cwd}/$1`));
  await using lanewise = LanewiseProcess.start(['standalone', '--config', file], { LANEWISE_DATA_DIR: cwd });
  const [, port] = await lanewise.printed(/API +https:\/\/127\.0\.0\.1:(\d+)\//);

  const command = ask.replace(':8080', `:${port}`);
  expect((await run('sh', ['-c', command], { cwd })).stdout).toContain('"ok"');
  const without = command.replace('--cert client.pem --key client.key', '');
  expect(without).not.toBe(command);
  await expect(run('sh', ['-c', without], { cwd })).rejects.toMatchObject({ stdout: '' });
});
