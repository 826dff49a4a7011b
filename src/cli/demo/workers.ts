import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Host } from '../host.ts';

/** Starts the demo's workers as processes of this very program. */

export interface DemoWorker {
  readonly id: string;
  readonly version: string;
  readonly url: string;
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
    const [url] = (await once(child, 'message')) as [string];
    return { id, version, url };
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
