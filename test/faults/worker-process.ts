import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a worker's process is told at its start. */
export interface WorkerOrders {
  readonly id: string;
  readonly version: string;
  readonly queues: readonly string[];
  /** Where proxies find it. */
  readonly url: string;
  readonly controlUrl: string;
  readonly token: string;
  /** A line for each job of a lane that it was through with: id, queue, microseconds of the monotonic clock. */
  readonly ledger: string;
  readonly failingQueue: string;
  readonly isFailing: boolean;
}

export interface Execution {
  readonly job: string;
  readonly queue: string;
  readonly version: string;
  /** Milliseconds, as `performance.now()` of this process has them. */
  readonly at: number;
}

/** A worker in a process of its own, which can be started again in its place. */
export class WorkerProcess implements AsyncDisposable {
  readonly orders: WorkerOrders;
  #child: ChildProcess | undefined;
  #port: number | undefined;
  #isFailing = false;

  constructor(orders: WorkerOrders) {
    this.orders = orders;
  }

  /** Undefined while it is gone. */
  get port(): number | undefined {
    return this.#port;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  /** Resolves when it listens. */
  async start(): Promise<void> {
    const orders = JSON.stringify({ ...this.orders, isFailing: this.#isFailing } satisfies WorkerOrders);
    const child = fork(join(import.meta.dirname, 'main.ts'), [orders], { stdio: 'ignore' });
    this.#child = child;
    living.add(child);
    const [message] = (await once(child, 'message')) as [{ port: number }];
    this.#port = message.port;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    this.#port = undefined;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    living.delete(child);
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  /** From now on, and after a restart. */
  fail(isFailing: boolean): void {
    this.#isFailing = isFailing;
    if (this.#child?.connected === true) this.#child.send(isFailing ? 'fail' : 'work');
  }

  /** All that it has noted so far, in its lives together. */
  executions(): readonly Execution[] {
    return readLines(this.orders.ledger).map((line) => {
      const [job, queue, microseconds] = line.split(' ');
      return {
        job: job!,
        queue: queue!,
        version: this.orders.version,
        at: Number(microseconds) / 1000 - BEGINNING_MS,
      };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** Whole ones: the last may be half written. */
function readLines(path: string): readonly string[] {
  return readFileSync(path, { encoding: 'utf8', flag: 'a+' }).split('\n').slice(0, -1);
}

/** Of `performance.now()` on the clock that all processes share. */
const BEGINNING_MS = Number(process.hrtime.bigint() / 1000n) / 1000 - performance.now();

const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});
