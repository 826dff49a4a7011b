import type { Command } from 'commander';

/**
 * Completion of commands and options. The shells ask this very program (`lanewise complete-words …`), so that what they
 * offer is what it takes.
 */

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `_lanewise() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(lanewise complete-words -- "\${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _lanewise lanewise`,
  zsh: `#compdef lanewise
_lanewise() {
  local -a candidates
  candidates=("\${(@f)$(lanewise complete-words -- "\${(@)words[2,CURRENT-1]}" 2>/dev/null)}")
  compadd -a candidates
}
compdef _lanewise lanewise`,
  fish: `complete -c lanewise -f -a '(lanewise complete-words -- (commandline -opc)[2..-1] 2>/dev/null)'`,
};

export function completionScript(shell: Shell): string {
  return SCRIPTS[shell];
}

/** What may come after these words: subcommands, options, and the choices of the option or argument that is next. */
export function candidatesAfter(program: Command, words: readonly string[]): readonly string[] {
  let command = program;
  let argumentsSeen = 0;
  for (const [i, word] of words.entries()) {
    const option = command.options.find((o) => o.short === word || o.long === word);
    if (option !== undefined) {
      if (option.required && i === words.length - 1) return option.argChoices ?? [];
      continue;
    }
    const takenByOption = command.options.some(
      (o) => o.required && (o.short === words[i - 1] || o.long === words[i - 1]),
    );
    if (takenByOption) continue;
    const next = command.commands.find((c) => c.name() === word);
    if (next === undefined) argumentsSeen++;
    else command = next;
  }
  const help = command.createHelp();
  const argument = command.registeredArguments[argumentsSeen];
  return [
    ...help.visibleCommands(command).map((c) => c.name()),
    ...(argument?.argChoices ?? []),
    ...help.visibleOptions(command).map((o) => o.long ?? o.short!),
  ];
}
