import type { Command } from 'commander';
import { format, resolveConfig } from 'prettier';
import { createProgram } from '../../src/cli/program.ts';
import type { Host } from '../../src/cli/host.ts';
import { ROOT } from './pages.ts';

/** The commands in `docs/cli.md`, made from the program itself. `npm run docs:api` writes them. */

const MARK = '<!-- commands: made from src/cli by `npm run docs:api` -->\n';

export async function withCommands(page: string): Promise<string> {
  const at = page.indexOf(MARK);
  if (at === -1) throw new Error(`docs/cli.md has no ${MARK}`);
  // Nothing is run, so nothing of the host is touched.
  const program = createProgram({} as Host);
  const sections = leavesOf(program).map((command) => section(command));
  const text = `${page.slice(0, at)}${MARK}\n${sections.join('\n\n')}\n`;
  return format(text, { ...(await resolveConfig(`${ROOT}/docs/cli.md`)), parser: 'markdown' });
}

function leavesOf(command: Command): readonly Command[] {
  const visible = command
    .createHelp()
    .visibleCommands(command)
    .filter((child) => child.name() !== 'help');
  return visible.length === 0 ? [command] : visible.flatMap(leavesOf);
}

function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}

function section(command: Command): string {
  const help = command.createHelp();
  const args = command.registeredArguments.map((a) => ` ${help.argumentTerm(a)}`);
  const usage = command.registeredArguments.map((a, i) =>
    a.required ? ` <${args[i]!.trim()}>` : ` [${args[i]!.trim()}]`,
  );
  const rows = [
    ...command.registeredArguments.map((a) => [a.name(), help.argumentDescription(a)]),
    ...command.options.map((o) => [o.flags, help.optionDescription(o)]),
  ].map(([term, words]) => `| \`${term}\` | ${words!.replaceAll('|', '\\|')} |`);
  const table = rows.length === 0 ? '' : `| | |\n| --- | --- |\n${rows.join('\n')}`;
  return `### ${nameOf(command)}\n\n\`\`\`\n${nameOf(command)}${usage.join('')}\n\`\`\`\n\n${command.description()}\n\n${table}`;
}
