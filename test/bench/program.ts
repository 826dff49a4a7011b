import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A program of a measurement in a process of its own, and what the kernel knows of it. */

const START_MS_MAX = 30_000;

export class Program implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #name: string;
  output = '';
  #failed: Error | undefined;

  constructor(command: string, args: readonly string[], environment: NodeJS.ProcessEnv = process.env) {
    this.#name = [command, ...args].join(' ');
    this.#child = spawn(command, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    this.#child.on('error', (error) => (this.#failed = error));
    living.add(this.#child);
    this.#child.on('close', () => living.delete(this.#child));
  }

  /** Waits until it has printed that. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#until(() => pattern.exec(this.output), `print ${pattern}`);
  }

  /** Waits until it takes connections there. */
  async listening(port: number): Promise<void> {
    await this.#until(() => canConnect(port), `listen on port ${port}`);
  }

  async #until<T>(look: () => T | null | Promise<T | null>, what: string): Promise<T> {
    for (const deadline = Date.now() + START_MS_MAX; Date.now() < deadline; await delay(20)) {
      const found = await look();
      if (found !== null) return found;
      if (this.#hasEnded) break;
    }
    throw new Error(`${this.#name} did not ${what}: ${this.#failed?.message ?? this.output}`);
  }

  get #hasEnded(): boolean {
    return this.#failed !== undefined || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Seconds of CPU, user and system, of all its threads so far. */
  get cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, 'utf8');
    // After the command's closing bracket; fields 14 and 15 of proc(5), in ticks of 10 ms.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  /** Resident memory in MiB. */
  get memoryMiB(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) / 1024;
  }

  /** As an operator stops it. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end('SIGKILL');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.#hasEnded) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill(signal);
    await exited;
  }
}

/** A bench that fails leaves nothing behind. */
const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

async function canConnect(port: number): Promise<true | null> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return null;
  } finally {
    socket.destroy();
  }
}

/** Goes with the stack. */
export async function temporaryDirectory(opened: AsyncDisposableStack): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'lanewise-bench-'));
  opened.defer(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
