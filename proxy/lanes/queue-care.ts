import type { LaneQueue } from '../../src/core/lane-keys.ts';
import type { Logger } from '../../src/runtime/log.ts';
import { startPeriodic, type Periodic } from '../../src/runtime/periodic.ts';
import type { LaneStore } from '../../src/runtime/store/lane-store.ts';

/**
 * What the jobs of a queue need besides somebody who runs them: delayed ones go back to their lanes when they are due,
 * and those of consumers that died come back. Every proxy that serves the queue does both; it is done once.
 */
export interface QueueCareOptions {
  readonly store: Pick<LaneStore, 'recoverJobs' | 'releaseDueJobs'>;
  readonly log: Logger;
  readonly monotonic: () => number;
  readonly random: () => number;
  readonly leaseMs: number;
}

/** Jobs that are released in one step. */
const RELEASE_MAX = 500;
/** For jobs that another proxy has delayed, which may have died since. */
const LOOK_EVERY_MS = 5_000;
/** Two looks a lease: who dies has lost its jobs after one lease, and others have them after one and a half. */
const RECOVERIES_PER_LEASE = 2;

export class QueueCare {
  readonly #options: QueueCareOptions;
  readonly #queue: LaneQueue;
  readonly #recovering: Periodic;
  #timer: NodeJS.Timeout | undefined;
  /** When the next look is due, on the monotonic clock. */
  #dueAt = Infinity;
  #releasing: Promise<void> | undefined;
  #stopped = false;

  /** Begins at once. */
  constructor(queue: LaneQueue, options: QueueCareOptions) {
    this.#options = options;
    this.#queue = queue;
    const everyMs = options.leaseMs / RECOVERIES_PER_LEASE;
    this.#recovering = startPeriodic(
      () => everyMs * (0.75 + 0.25 * options.random()),
      () => this.#recover(),
    );
    this.noteDelay(0);
  }

  /** A job is due after so long. */
  noteDelay(delayMs: number): void {
    if (this.#stopped) return;
    const dueAt = this.#options.monotonic() + delayMs;
    if (dueAt >= this.#dueAt) return;
    clearTimeout(this.#timer);
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => void this.#onDue(), delayMs);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#recovering.stop();
    await this.#releasing;
  }

  async #onDue(): Promise<void> {
    this.#dueAt = Infinity;
    // The one under way may have looked too early: this one comes after it.
    await this.#releasing;
    this.#releasing ??= this.#release();
    await this.#releasing;
  }

  async #release(): Promise<void> {
    const { store, log, random } = this.#options;
    // Not all proxies at the same time.
    const laterMs = LOOK_EVERY_MS * (0.75 + 0.5 * random());
    let nextMs = laterMs;
    try {
      const { nextInMs } = await store.releaseDueJobs(this.#queue, RELEASE_MAX);
      nextMs = Math.min(laterMs, nextInMs ?? Infinity);
    } catch (error) {
      log.debug({ err: error, queue: this.#queue.name }, 'delayed jobs could not be looked at; trying again');
    } finally {
      this.#releasing = undefined;
    }
    this.noteDelay(nextMs);
  }

  async #recover(): Promise<void> {
    const { store, log } = this.#options;
    try {
      const { recovered } = await store.recoverJobs(this.#queue);
      if (recovered > 0)
        log.info(
          { queue: this.#queue.name, jobs: recovered },
          'jobs of a consumer that died are back in their lanes',
        );
    } catch (error) {
      log.debug({ err: error, queue: this.#queue.name }, 'jobs could not be recovered; trying again');
    }
  }
}
