import type { Logger } from '../runtime/log.ts';

/** The process as a command sees it, so that only `main.ts` touches the real one. */
export interface Host {
  /** Of the machine. */
  readonly name: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** How to start this very program again, for commands that run more than one process. */
  readonly self: { readonly command: string; readonly args: readonly string[] };
  readonly terminal: { readonly isInput: boolean; readonly isOutput: boolean };
  print(text: string): void;
  /** One line from the terminal. */
  ask(question: string): Promise<string>;
  /** The code that the process ends with, once nothing is left to do. */
  end(code: number): void;
  /** Once the command has ended, so does the process: what is still under way then can't be cancelled. */
  abandonRest(): void;
  /** To the process that started this one, if it listens. */
  tellParent(message: string): void;
  /** When the process that started this one goes, however it goes, this one goes too. */
  endWithParent(): void;
  readFile(path: string): string;
  /** Resolves at the first SIGINT or SIGTERM from its first call on; a second one ends the process at once. */
  stopRequested(): Promise<string>;
  /** At every SIGHUP. In a terminal it means that the terminal is gone, and ends the process as always. */
  onHangup(listener: () => void): void;
  createLog(level: string): Logger;
}
