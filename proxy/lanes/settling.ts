import type { Logger } from '../../src/runtime/log.ts';
import { pause } from '../../src/runtime/periodic.ts';
import type {
  BuryOptions,
  LaneConsumer,
  RetryOptions,
  SettleResult,
  TakenJob,
} from '../../src/runtime/store/lane-store.ts';
import type { LaneTelemetry } from './lane-telemetry.ts';
import { storePauseMs } from './store-pause.ts';

/**
 * Tells the store what became of jobs, for as long as it takes: a store that is away for a moment must not make a job
 * run twice. If it is away for longer than the lease lasts, the job was somebody else's meanwhile, and is `lost` here.
 */
export interface SettlingOptions {
  readonly consumer: LaneConsumer;
  readonly telemetry: LaneTelemetry;
  readonly log: Logger;
  readonly random: () => number;
}

export class Settling {
  readonly #options: SettlingOptions;
  readonly #ending = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  #returned: TakenJob[] = [];

  constructor(options: SettlingOptions) {
    this.#options = options;
  }

  acknowledge(job: TakenJob): void {
    this.#track(this.#settle(job, () => this.#options.consumer.acknowledge(job)));
  }

  retry(job: TakenJob, options: RetryOptions): void {
    this.#track(this.#settle(job, () => this.#options.consumer.retry(job, options)));
  }

  bury(job: TakenJob, options: BuryOptions): void {
    const { log, telemetry } = this.#options;
    const { queue, lane, content } = job;
    const id = content.kind === 'job' ? content.job.id : undefined;
    log.warn({ queue: queue.name, lane, job: id, reason: options.reason }, 'a job is dead');
    telemetry.countersOf(queue.name).buried++;
    this.#track(this.#settle(job, () => this.#options.consumer.bury(job, options)));
  }

  /** Those of one turn of the event loop go back together, in the order in which they were taken. */
  giveBack(jobs: readonly TakenJob[]): void {
    if (jobs.length === 0) return;
    this.#returned.push(...jobs);
    if (this.#returned.length === jobs.length) this.#track(this.#return());
  }

  /** Resolves when the store knows everything. @param deadline what it does not know then is left to the lease */
  async finish(deadline: AbortSignal): Promise<void> {
    const end = (): void => this.#ending.abort();
    deadline.addEventListener('abort', end, { once: true });
    if (deadline.aborted) end();
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
    deadline.removeEventListener('abort', end);
  }

  #track(work: Promise<void>): void {
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work));
  }

  async #settle({ queue, lane }: TakenJob, tell: () => Promise<SettleResult>): Promise<void> {
    const result = await this.#untilTold(tell);
    if (result?.kind !== 'lost') return;
    const { log, telemetry } = this.#options;
    telemetry.countersOf(queue.name).lost++;
    log.debug({ queue: queue.name, lane }, 'a job was done after its lease had run out');
  }

  async #return(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    const jobs = this.#returned.toSorted((a, b) => inTakeOrder(a, b));
    this.#returned = [];
    await this.#untilTold(() => this.#options.consumer.giveBack(jobs));
  }

  /** @returns undefined if it could not be told until the end */
  async #untilTold<T>(tell: () => Promise<T>): Promise<T | undefined> {
    const { log, random } = this.#options;
    for (let failures = 0; ; failures++) {
      try {
        return await tell();
      } catch (error) {
        log.debug({ err: error }, 'the store could not be told what became of a job; trying again');
        if (!(await pause(storePauseMs(failures, random), this.#ending.signal))) return undefined;
      }
    }
  }
}

/** Receipts grow, where they are numbers; elsewhere the order of a turn will do. */
function inTakeOrder(a: TakenJob, b: TakenJob): number {
  return a.receipt.localeCompare(b.receipt, 'en', { numeric: true });
}
