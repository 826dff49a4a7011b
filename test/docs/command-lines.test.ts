import type { Command } from 'commander';
import { expect, test } from 'vitest';
import type { Host } from '../../src/cli/host.ts';
import { createProgram } from '../../src/cli/program.ts';
import { PAGES, readPage } from './pages.ts';

/** Every `lanewise …` that a page names is a command, with the options and as many arguments as it takes. */

/** Of blocks and of code within the text, each on a line of its own, without what is around it in a shell. */
function commandLines(page: string): readonly string[] {
  const blocks = [...page.matchAll(/^ *```(?:sh)?\n(.*?)^ *```$/gms)].map(([, code]) => code!);
  const inline = [...page.replaceAll(/^ *```.*?^ *```$/gms, '').matchAll(/`([^`]+)`/g)].map(
    ([, code]) => code!,
  );
  return [...blocks, ...inline]
    .flatMap((code) => code.split('\n'))
    .flatMap(
      (line) => /^(?:[A-Z_]+=\S+ )*(?:npm run )?lanewise(?: --)? ([a-z].*)$/.exec(line.trim())?.[1] ?? [],
    )
    .map((line) => line.replace(/ [|>#&].*$/, ''));
}

/** Words as a shell makes them; nothing in the pages needs more than quotes. */
function wordsOf(line: string): readonly string[] {
  return [...line.matchAll(/"[^"]*"|'[^']*'|\S+/g)].map(([word]) => word.replaceAll(/^["']|["']$/g, ''));
}

/** @returns what is wrong with it */
function problemOf(program: Command, line: string): string | undefined {
  const words = [...wordsOf(line)];
  let command = program;
  while (command.commands.length > 0) {
    const name = words.shift();
    // `deployments …` names a group.
    if (name === undefined || name === '…') return undefined;
    const next = command.commands.find((child) => child.name() === name);
    if (next === undefined) return `${command.name()} has no command ${name}`;
    command = next;
  }
  let args = 0;
  while (words.length > 0) {
    const word = words.shift()!;
    if (word === '…') return undefined;
    if (!word.startsWith('-')) {
      args++;
      continue;
    }
    const option = command.options.find(({ long, short }) => long === word || short === word);
    if (option === undefined && word !== '--help') return `${command.name()} has no option ${word}`;
    // At the end an option is merely mentioned.
    if (option?.required === true) words.shift();
  }
  const { registeredArguments: declared } = command;
  const most = declared.some(({ variadic }) => variadic) ? Infinity : declared.length;
  return args > most ? `${command.name()} takes ${most} arguments` : undefined;
}

test.each(PAGES)('the command lines of %s are ones that the program takes', (path) => {
  // Nothing is run, so nothing of the host is touched.
  const program = createProgram({} as Host);
  const problems = commandLines(readPage(path)).flatMap((line) => {
    const problem = problemOf(program, line);
    return problem === undefined ? [] : [`lanewise ${line}: ${problem}`];
  });
  expect(problems).toEqual([]);
});

test('lines are found, and wrong ones told', () => {
  const program = createProgram({} as Host);
  expect(commandLines(readPage('docs/start.md')).length).toBeGreaterThan(8);
  expect(problemOf(program, 'deployments launch')).toBe('deployments has no command launch');
  expect(problemOf(program, 'deployments set mail 20 --fast')).toBe('set has no option --fast');
  expect(problemOf(program, 'deployments set mail 20 30')).toBe('set takes 2 arguments');
});
