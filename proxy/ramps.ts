import type { Clock } from '../src/core/clock.ts';
import { shareAfter } from '../src/core/slow-start.ts';

/** The clock of slow starts: moves the shares on, so that decisions only read a number. */
export interface RampsOptions {
  /** 0: no slow starts. */
  readonly slowStartMs: number;
  readonly clock: Clock;
}

interface Ramping {
  share: number;
}

/** Steps of a hundredth, but no more of them than are worth a timer. */
const STEPS = 100;
const STEP_MS_MIN = 10;
const STEP_MS_MAX = 1000;

export class Ramps {
  readonly #options: RampsOptions;
  /** Since when, on the monotonic clock. */
  readonly #since = new Map<Ramping, number>();
  #begins = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RampsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#since.size;
  }

  /** The workers known so far have been at it for long, as far as a proxy that has just started can tell. */
  allowNew(): void {
    this.#begins = true;
  }

  /** It is new, or was out. */
  begin(worker: Ramping): void {
    const { slowStartMs, clock } = this.#options;
    if (!this.#begins || slowStartMs === 0) return;
    this.#since.set(worker, clock.monotonic());
    worker.share = shareAfter(0, slowStartMs);
    const stepMs = Math.min(STEP_MS_MAX, Math.max(STEP_MS_MIN, slowStartMs / STEPS));
    this.#timer ??= setInterval(() => this.#step(), stepMs).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#begins = false;
  }

  #step(): void {
    const { slowStartMs, clock } = this.#options;
    const now = clock.monotonic();
    for (const [worker, since] of this.#since) {
      worker.share = shareAfter(now - since, slowStartMs);
      if (worker.share === 1) this.#since.delete(worker);
    }
    if (this.#since.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
