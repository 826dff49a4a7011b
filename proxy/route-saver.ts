import type { Clock } from '../src/core/clock.ts';
import type { RouteSnapshot } from '../src/core/routing-table.ts';
import type { Logger } from '../src/runtime/log.ts';
import { pauseAfterSaving, type LastGoodRoutes } from './last-good-routes.ts';
import { TroubleLog } from './trouble-log.ts';

/**
 * Keeps the last good routes behind those in use. One write at a time, then a pause; what changes meanwhile is in the
 * next one. A write that failed is tried again by itself: routes may not change for days, and a disk that was full for
 * a minute must not leave the proxy with those of last week.
 */
export interface RouteSaverOptions {
  readonly lastGood: LastGoodRoutes;
  /** Those in use. */
  readonly snapshot: () => RouteSnapshot;
  readonly clock: Clock;
  readonly log: Logger;
  /** Least time between two writes, and from the first one that failed to the next. */
  readonly leastMs: number;
  /** Waits for about that long. @returns whether to go on; false at once when `signal` is aborted */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<boolean>;
}

/** Who has made room on a disk does not wait for longer. */
const RETRY_MS_MAX = 60_000;

/** Twice as long after each failure in a row. */
export function pauseAfterFailure(failures: number, firstMs: number): number {
  return Math.min(RETRY_MS_MAX, firstMs * 2 ** (failures - 1));
}

export class RouteSaver {
  readonly #options: RouteSaverOptions;
  readonly #stopped = new AbortController();
  readonly #trouble: TroubleLog;
  #saving: Promise<void> | undefined;
  /** Monotonic time of the first change that no snapshot has been taken of. */
  #changedAt: number | undefined;
  /** The same of the snapshot that is being written. */
  #writingFrom: number | undefined;

  constructor(options: RouteSaverOptions) {
    this.#options = options;
    this.#trouble = new TroubleLog(options.log, {
      fails: 'the last good routes could not be saved; trying again',
      works: 'the last good routes are saved again',
    });
  }

  /** For how long the disk has been behind the routes in use; 0: it is not. */
  get behindMs(): number {
    const from = this.#writingFrom ?? this.#changedAt;
    return from === undefined ? 0 : this.#options.clock.monotonic() - from;
  }

  /** The routes in use have changed. */
  changed(): void {
    this.#changedAt ??= this.#options.clock.monotonic();
    this.#saving ??= this.#save();
  }

  /** Resolves when what was there to save is saved, or could not be at one last try. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#saving;
  }

  async #save(): Promise<void> {
    const { leastMs, pause } = this.#options;
    const { signal } = this.#stopped;
    for (let failures = 0, isLast = false; this.#changedAt !== undefined && !isLast;) {
      isLast = signal.aborted;
      const bytes = await this.#write();
      failures = bytes === undefined ? failures + 1 : 0;
      await pause(
        bytes === undefined ? pauseAfterFailure(failures, leastMs) : pauseAfterSaving(bytes, leastMs),
        signal,
      );
    }
    this.#saving = undefined;
  }

  /** @returns how many bytes were written; undefined if that failed */
  async #write(): Promise<number | undefined> {
    const { lastGood, snapshot } = this.#options;
    this.#writingFrom = this.#changedAt;
    this.#changedAt = undefined;
    try {
      const bytes = await lastGood.save(snapshot());
      this.#trouble.worked();
      return bytes;
    } catch (error) {
      this.#trouble.failed(error);
      this.#changedAt = this.#writingFrom;
      return undefined;
    } finally {
      this.#writingFrom = undefined;
    }
  }
}
