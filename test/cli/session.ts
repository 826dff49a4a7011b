import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { join } from 'node:path';
import { vi } from 'vitest';
import { PATIENCE } from '../helpers/patience.ts';
import { ROOT } from '../docs/pages.ts';
import type { Standalone } from '../helpers/system.ts';

/** The command line as people meet it: on a pseudo-terminal (util-linux's `script`), or in a script's pipe. */

const LANEWISE = [process.execPath, join(ROOT, 'src/cli/main.ts')];

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class CliSession {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';

  constructor(command: readonly [string, ...string[]], environment: Readonly<Record<string, string>>) {
    const [file, ...args] = command;
    this.#child = spawn(file, args, { env: environment });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code) => resolve({ code, stdout: this.stdout, stderr: this.stderr }));
    });
  }

  async shows(pattern: RegExp): Promise<void> {
    await vi.waitUntil(() => pattern.test(this.stdout), PATIENCE);
  }

  type(text: string): void {
    this.#child.stdin.write(text);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** As `head` does when it has enough. */
  stopReading(): void {
    this.#child.stdout.destroy();
  }

  closeInput(): void {
    this.#child.stdin.end();
  }
}

type Environment = Readonly<Record<string, string>>;

/** Knows of the system only what a shell on its machine would: where its data is, and its port. */
export function environmentOf(system: Standalone, more: Environment = {}): Environment {
  return {
    PATH: process.env['PATH']!,
    NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/node-compile'),
    LANEWISE_DATA_DIR: system.dataDir,
    LANEWISE_CONTROL_PORT: new URL(system.api.url).port,
    ...more,
  };
}

/** As a script runs it: no terminal anywhere. */
export async function run(environment: Environment, ...args: readonly string[]): Promise<Ended> {
  const session = start(environment, ...args);
  session.closeInput();
  return session.ended;
}

export function start(environment: Environment, ...args: readonly string[]): CliSession {
  return new CliSession([LANEWISE[0]!, LANEWISE[1]!, ...args], environment);
}

/** As a person runs it. */
export function onTerminal(environment: Environment, ...args: readonly string[]): CliSession {
  // Without `exec` the shell in between would answer Ctrl-C as well.
  const command = `exec ${[...LANEWISE, ...args].map((word) => `'${word}'`).join(' ')}`;
  return new CliSession(['script', '--quiet', '--return', '--command', command, '/dev/null'], {
    ...environment,
    TERM: 'xterm',
  });
}
