import { execFile } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { completionScript } from '../../src/cli/operate/completion.ts';
import { readPage, ROOT } from '../docs/pages.ts';
import { withCommands } from '../docs/cli-markdown.ts';
import { temporaryDirectory } from '../helpers/process.ts';

test('bash completes commands, options and choices, by the script that it is given', async () => {
  await using stack = new AsyncDisposableStack();
  const directory = await temporaryDirectory(stack);
  const lanewise = join(directory, 'lanewise');
  await writeFile(lanewise, `#!/bin/sh\nexec '${process.execPath}' '${ROOT}/src/cli/main.ts' "$@"\n`);
  await chmod(lanewise, 0o755);
  const complete = (...words: readonly string[]): string =>
    `COMP_WORDS=(lanewise ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _lanewise; echo "$` +
    `{COMPREPLY[*]}"`;
  const script = [
    'eval "$(lanewise completion bash)"',
    complete('dep'),
    complete('deployments', 'p'),
    complete('deployments', 'list', '--status', 'pro'),
    complete('workers', 'status', 'w-1', 'un'),
    complete('queues', 'drop', '--y'),
  ].join('\n');
  const { stdout } = await promisify(execFile)('bash', ['-c', script], {
    env: { ...process.env, PATH: `${directory}:${process.env['PATH']}` },
  });
  expect(stdout.split('\n')).toEqual([
    'deployments',
    'promote pause',
    'promoting',
    'unhealthy unreachable',
    '--yes',
    '',
  ]);
});

test('each shell has a script', () => {
  expect(completionScript('zsh')).toContain('#compdef lanewise');
  expect(completionScript('fish')).toContain('complete -c lanewise');
});

test('docs/cli.md has every command and option, as `npm run docs:api` writes them', async () => {
  const page = readPage('docs/cli.md');
  expect(page).toBe(await withCommands(page));
});
