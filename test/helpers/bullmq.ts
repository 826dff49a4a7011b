import { Queue, Worker, type Job, type QueueOptions, type WorkerOptions } from 'bullmq';

/** BullMQ's own workers and queues, as their owners have them: they know nothing of Lanewise. */

export interface RanJob {
  readonly id: string;
  readonly name: string;
  readonly data: unknown;
  readonly attempt: number;
}

export type Processor = (job: Job) => Promise<unknown>;

/** Writes down what it runs, in order. */
export class RecordingWorker implements AsyncDisposable {
  readonly ran: readonly RanJob[];
  readonly #worker: Worker;

  private constructor(worker: Worker, ran: readonly RanJob[]) {
    this.#worker = worker;
    this.ran = ran;
  }

  static async start(
    port: number,
    queue: string,
    process: Processor = async () => undefined,
    options: Partial<WorkerOptions> = {},
  ): Promise<RecordingWorker> {
    const ran: RanJob[] = [];
    const worker = new Worker(
      queue,
      async (job) => {
        ran.push({ id: job.id!, name: job.name, data: job.data, attempt: job.attemptsMade + 1 });
        return process(job);
      },
      { connection: { host: '127.0.0.1', port }, ...options },
    );
    // A server that is stopped in a test is no news.
    worker.on('error', () => undefined);
    await worker.waitUntilReady();
    return new RecordingWorker(worker, ran);
  }

  get ids(): readonly string[] {
    return this.ran.map(({ id }) => id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.close();
  }
}

/** A look at a queue as BullMQ shows it, and what its owner's producers do. */
export function openQueue(
  port: number,
  name: string,
  options: Partial<QueueOptions> = {},
): Queue & AsyncDisposable {
  const queue = new Queue(name, { connection: { host: '127.0.0.1', port }, ...options });
  queue.on('error', () => undefined);
  return Object.assign(queue, { [Symbol.asyncDispose]: () => queue.close() });
}
