import { setImmediate as turn } from 'node:timers/promises';
import { request } from 'undici';
import { vi } from 'vitest';
import { QUEUE } from './api.ts';
import { nextPlace } from './load.ts';
import { PATIENCE } from './patience.ts';
import { enlist, type ProxyFace, type System } from './system.ts';
import { TestWorker } from './worker.ts';

/** A ledger on both ends of the lanes: ids that were accepted, and ids that workers were through with. */

/** Producers that never rest, and send a job by the same id until it is accepted. */
export class LaneProducers implements AsyncDisposable {
  readonly accepted = new Set<string>();
  /** Sent again, for 503 or no answer. */
  repeats = 0;
  /** Answers that are neither 202 nor 503. */
  readonly unexpected: string[] = [];
  readonly #proxies: () => readonly ProxyFace[];
  readonly #running: Promise<void>[];
  readonly #queue: string;
  #sent = 0;
  #lastRefusal = '';
  #isStopped = false;

  /** @param proxies those of the moment; each repetition goes to the next one */
  constructor(proxies: () => readonly ProxyFace[], producers = 4, queue = QUEUE) {
    this.#proxies = proxies;
    this.#queue = queue;
    this.#running = Array.from({ length: producers }, (_, i) => this.#run(i));
  }

  /** Resolves when that many more have been accepted. */
  async puts(jobs: number): Promise<void> {
    const target = this.accepted.size + jobs;
    await vi.waitUntil(() => this.accepted.size >= target, PATIENCE);
  }

  /** Every job that was begun has been accepted then. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await Promise.race([this.stop(), turn()]);
  }

  async #run(producer: number): Promise<void> {
    while (!this.#isStopped) {
      const id = `job-${++this.#sent}`;
      const deadline = performance.now() + PATIENCE.timeout;
      for (let turns = producer; !(await this.#isAccepted(id, turns)); turns++) {
        this.repeats++;
        if (performance.now() > deadline) throw new Error(`${id} is not accepted: ${this.#lastRefusal}`);
        await turn();
      }
      this.accepted.add(id);
    }
  }

  async #isAccepted(id: string, turns: number): Promise<boolean> {
    const faces = this.#proxies();
    try {
      const { status, body } = await faces[turns % faces.length]!.send({ 'x-job-id': id }, this.#queue);
      if (status !== 202) this.#lastRefusal = body;
      if (status !== 202 && status !== 503) this.unexpected.push(`${status} ${body}`);
      return status === 202;
    } catch {
      // Nobody knows whether it was stored; that is what the id is for.
      return false;
    }
  }
}

/** Puts that many jobs in by batches. @returns the ids by their lane */
export async function putBatches(
  proxy: ProxyFace,
  jobs: number,
): Promise<Readonly<Record<'stable' | 'canary', readonly string[]>>> {
  const lanes = { stable: [] as string[], canary: [] as string[] };
  for (let first = 0; first < jobs; first += BATCH) {
    const ids = Array.from({ length: Math.min(BATCH, jobs - first) }, (_, i) => `batch-${first + i}`);
    const answer = await request(`${proxy.dispatchUrl}/dispatch/${QUEUE}:batch`, {
      method: 'POST',
      body: ids.map((id) => JSON.stringify({ id, body: '{}' })).join('\n'),
    });
    const text = await answer.body.text();
    if (answer.statusCode !== 202) throw new Error(`a batch was answered ${answer.statusCode}: ${text}`);
    const stored = (JSON.parse(text) as { jobs: readonly { job_id: string; lane: 'stable' | 'canary' }[] })
      .jobs;
    for (const { job_id: id, lane } of stored) lanes[lane].push(id);
  }
  return lanes;
}

const BATCH = 500;

export interface LaneArrival {
  readonly id: string;
  readonly place: number;
}

/** A worker that is some milliseconds busy with each job, and notes those that it was through with. */
export class LedgerWorker implements AsyncDisposable {
  readonly id: string;
  readonly arrivals: LaneArrival[] = [];
  readonly done: string[] = [];
  readonly #worker: TestWorker;
  /** Jobs are kept without an answer while it is set. */
  isStuck = false;

  private constructor(id: string, worker: TestWorker, workMs: number) {
    this.id = id;
    this.#worker = worker;
    worker.answer = ({ headers }, response) => {
      const job = String(headers['x-job-id']);
      this.arrivals.push({ id: job, place: nextPlace() });
      if (this.isStuck) return;
      setTimeout(() => {
        if (response.destroyed) return;
        this.done.push(job);
        response.end();
      }, workMs);
    };
  }

  static async start(
    system: Pick<System, 'api' | 'proxies'>,
    id: string,
    version: string,
    workMs = 3,
    queue = QUEUE,
  ): Promise<LedgerWorker> {
    const worker = await TestWorker.start(version);
    const ledger = new LedgerWorker(id, worker, workMs);
    await enlist(system, { id, version, url: worker.url, queue });
    return ledger;
  }

  /** Breaks every connection off, and takes no more. */
  async kill(): Promise<void> {
    await this.#worker.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** Of each job the number of times that a worker was through with it. */
export function timesDone(workers: readonly LedgerWorker[]): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const id of workers.flatMap(({ done }) => done)) times.set(id, (times.get(id) ?? 0) + 1);
  return times;
}

/** Resolves when workers are through with all of these jobs. @returns those that were done more than once */
export async function allDone(
  workers: readonly LedgerWorker[],
  accepted: Iterable<string>,
): Promise<readonly string[]> {
  const ids = [...accepted];
  await vi.waitUntil(
    () => {
      const times = timesDone(workers);
      return ids.every((id) => times.has(id));
    },
    { ...PATIENCE, interval: 50 },
  );
  return [...timesDone(workers)].filter(([, times]) => times > 1).map(([id]) => id);
}
