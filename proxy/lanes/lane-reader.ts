import type { Logger } from '../../src/runtime/log.ts';
import { pause } from '../../src/runtime/periodic.ts';
import type { LaneConsumer, TakenJob } from '../../src/runtime/store/lane-store.ts';
import type { WorkerEndpoint } from '../endpoint.ts';
import type { LaneJobs } from './lane-jobs.ts';
import type { Places } from './places.ts';
import type { Settling } from './settling.ts';
import type { ServedLane } from './served-lanes.ts';
import { storePauseMs } from './store-pause.ts';

/**
 * Reads one lane for as long as it is this proxy's:
 *
 *     claim places → take as many jobs → begin them → again
 *                      ↳ none: give the places back, wait for the next job → again
 *
 * While it waits it keeps no places, so that an empty lane holds up no other; what it then gets is one job.
 */
export interface LaneReaderOptions {
  readonly consumer: LaneConsumer;
  readonly places: Places;
  readonly jobs: LaneJobs;
  readonly settling: Settling;
  readonly log: Logger;
  readonly random: () => number;
}

/** Of jobs at once: what a step of the store is good for, and no more than one proxy should have on the way. */
const TAKE_MAX = 256;
/** The store wakes us when a job comes; this only bounds how long a call that was forgotten lasts. */
const WAIT_MS = 30_000;
/** Between looks at a lane into which nothing is put any more: doubled with each that found nothing. */
const LEFTOVER_PAUSE_MS_MIN = 1_000;
const LEFTOVER_PAUSE_MS_MAX = 30_000;

export class LaneReader {
  readonly #options: LaneReaderOptions;
  readonly #stopping = new AbortController();
  readonly #done: Promise<void>;
  #served: ServedLane<WorkerEndpoint>;
  /** In a row, at what is left over. */
  #emptyLooks = 0;
  /** Aborted when the workers change, for a claim that waits for the former ones. */
  #claiming = new AbortController();

  /** Begins at once. */
  constructor(served: ServedLane<WorkerEndpoint>, options: LaneReaderOptions) {
    this.#options = options;
    this.#served = served;
    this.#done = this.#read();
  }

  /** The same lane, for other workers. */
  update(served: ServedLane<WorkerEndpoint>): void {
    if (served === this.#served) return;
    this.#served = served;
    this.#emptyLooks = 0;
    this.#claiming.abort();
  }

  /** Resolves when the last take has returned; what it brought has gone back. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#claiming.abort();
    await this.#done;
  }

  get #isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #read(): Promise<void> {
    const { log, random } = this.#options;
    const { queue, lane } = this.#served;
    const where = { queue: queue.name, lane };
    for (let failures = 0; !this.#isStopped;) {
      try {
        await this.#round();
        if (failures > 0) log.info(where, 'jobs can be taken again');
        failures = 0;
      } catch (error) {
        log[failures === 0 ? 'warn' : 'debug'](
          { err: error, ...where },
          'no jobs can be taken; trying again',
        );
        await pause(storePauseMs(failures++, random), this.#stopping.signal);
      }
    }
  }

  async #round(): Promise<void> {
    const claim = await this.#claim();
    if (claim.count === 0) return;
    let taken: readonly TakenJob[];
    try {
      taken = await this.#take(claim.count, 0);
    } finally {
      claim.release();
    }
    this.#begin(taken);
    this.#emptyLooks = taken.length > 0 ? 0 : this.#emptyLooks + 1;
    if (taken.length > 0 || this.#isStopped) return;
    if (this.#served.isLeftover) await this.#pauseLooking();
    else this.#begin(await this.#take(1, WAIT_MS));
  }

  async #pauseLooking(): Promise<void> {
    const ms = Math.min(LEFTOVER_PAUSE_MS_MAX, LEFTOVER_PAUSE_MS_MIN * 2 ** (this.#emptyLooks - 1));
    await pause(ms * (0.75 + 0.5 * this.#options.random()), this.#claimSignal());
  }

  /** Aborted when the lane's workers change, or it is no longer ours. */
  #claimSignal(): AbortSignal {
    if (this.#claiming.signal.aborted && !this.#isStopped) this.#claiming = new AbortController();
    return this.#claiming.signal;
  }

  #claim(): ReturnType<Places['claim']> {
    return this.#options.places.claim(this.#served.workers, TAKE_MAX, this.#claimSignal());
  }

  #take(max: number, waitMs: number): Promise<readonly TakenJob[]> {
    const { queue, lane } = this.#served;
    return this.#options.consumer.take(queue, lane, { max, waitMs, signal: this.#stopping.signal });
  }

  #begin(taken: readonly TakenJob[]): void {
    if (this.#isStopped) this.#options.settling.giveBack(taken);
    else this.#options.jobs.begin(taken, this.#served.workers);
  }
}
