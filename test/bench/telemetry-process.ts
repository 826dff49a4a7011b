import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { TelemetryPart } from './telemetry-load.ts';

/** What sends telemetry, in a process of its own, so that its cost can be told from Redis'. */

export class TelemetryProcess implements AsyncDisposable {
  readonly #child: ChildProcess;

  constructor(part: TelemetryPart) {
    const path = fileURLToPath(new URL('telemetry-part.ts', import.meta.url));
    this.#child = fork(path, [JSON.stringify(part)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  }

  /** What it has to say: that it has started, then its result. */
  async message<T>(): Promise<T> {
    const [message] = (await once(this.#child, 'message')) as [T];
    return message;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}
