import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The parts of a measurement, each a process of its own, so that their costs can be told apart. */

export type Part = 'worker' | 'proxy' | 'load' | 'telemetry';

export class BenchProcess implements AsyncDisposable {
  readonly #child: ChildProcess;

  constructor(part: Part, argument: object = {}) {
    this.#child = fork(fileURLToPath(new URL('part.ts', import.meta.url)), [part, JSON.stringify(argument)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }

  /** What it has to say: a url once it listens, or its result. */
  async message<T>(): Promise<T> {
    const [message] = (await once(this.#child, 'message')) as [T];
    return message;
  }

  /** Seconds of CPU, user and system, so far. */
  get cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8');
    // After the command's closing bracket; fields 14 and 15 of proc(5), in ticks of 10 ms.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  /** Resident memory in MiB. */
  get memoryMiB(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) / 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}
