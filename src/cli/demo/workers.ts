import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Host } from '../host.ts';

/** Starts the demo's workers as processes of this very program. */

export interface DemoWorker {
  readonly id: string;
  readonly version: string;
  readonly url: string;
}

/** What it says once it listens; one that ends before that, or can't be started, must not leave us waiting. */
function urlOf(child: ChildProcess, id: string): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      reject(
        new Error(`the demo's worker ${id} ended before it listened (${signal ?? `exit code ${code}`})`),
      ),
    );
  });
}

export class DemoWorkers implements AsyncDisposable {
  readonly #host: Host;
  readonly #processes: ChildProcess[] = [];

  constructor(host: Host) {
    this.#host = host;
  }

  async start(id: string, version: string, failing = 0): Promise<DemoWorker> {
    const { command, args } = this.#host.self;
    const child = spawn(command, [...args, 'demo-worker', '--failing', String(failing)], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#processes.push(child);
    return { id, version, url: await urlOf(child, id) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#processes.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const exited = once(child, 'exit');
        child.kill();
        await exited;
      }),
    );
  }
}
