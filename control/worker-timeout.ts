import type { Clock } from '../src/core/clock.ts';
import { afterSilence, lastSeenOf } from '../src/core/worker-life.ts';
import type { Worker } from '../src/core/worker.ts';
import type { Logger } from '../src/runtime/log.ts';
import { startPeriodic, type Periodic } from '../src/runtime/periodic.ts';
import type { Store } from '../src/runtime/store/store.ts';

/**
 * Marks workers that nobody has seen for the worker time-out as unreachable, and takes that back once they are seen.
 * Every instance does it; compare-and-set lets one of them win.
 *
 * Silence counts only from when somebody could have heard: after a start, an outage of the store, or a time without any
 * proxy (it is they who probe), or a jump of the clock, every worker has the whole time-out to be seen again. Otherwise
 * the end of a long outage would take all workers out at once.
 */
export interface WorkerTimeoutOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly workerTimeoutMs: number;
}

const LOOK_EVERY_MS_MAX = 5000;
const WORKERS_AT_ONCE = 200;

export function startWorkerTimeout(options: WorkerTimeoutOptions): Periodic {
  const { store, clock, log, workerTimeoutMs } = options;
  let storeSince = clock.now();
  let proxiesSince = clock.now();
  let last: Moment = { now: clock.now(), monotonic: clock.monotonic() };

  const look = async (): Promise<void> => {
    const now = clock.now();
    if (hasJumped(last, (last = { now, monotonic: clock.monotonic() }))) {
      log.warn('the clock has jumped; every worker has the whole time-out to be seen again');
      storeSince = now;
    }
    if ((await store.listReports()).length === 0) proxiesSince = now;
    // Some at a time, so that nobody else waits for long. One that a removal makes us pass over is met at the next look.
    for (let offset = 0, total = 1; offset < total; offset += WORKERS_AT_ONCE) {
      const page = await store.pageWorkers({}, { offset, limit: WORKERS_AT_ONCE });
      total = page.total;
      await lookAt(page.workers, now);
    }
  };

  const lookAt = async (workers: readonly Worker[], now: number): Promise<void> => {
    const activity = await store.listActivity(workers.map(({ id }) => id));
    for (const worker of workers) {
      // Without a url no proxy can probe it: it must say itself that it is there.
      const watchedSince = worker.url === undefined ? storeSince : Math.max(storeSince, proxiesSince);
      const silentFrom = Math.max(lastSeenOf(worker, activity.get(worker.id)), watchedSince);
      const next = afterSilence(worker, silentFrom, now, workerTimeoutMs);
      if (next === undefined) continue;
      const { kind } = await store.saveWorker(next, worker.recordVersion);
      if (kind === 'saved')
        log.info({ worker: worker.id, status: next.status }, 'Worker status changed by time-out');
    }
  };

  const everyMs = Math.min(LOOK_EVERY_MS_MAX, workerTimeoutMs / 10);
  return startPeriodic(
    () => everyMs,
    async () => {
      try {
        await look();
      } catch (error) {
        storeSince = clock.now();
        log.debug({ err: error }, 'workers could not be looked at');
      }
    },
  );
}

interface Moment {
  readonly now: number;
  readonly monotonic: number;
}

/** More than what a busy process and a clock that is being adjusted come to. */
const JUMP_MS_MIN = 2000;

function hasJumped(before: Moment, after: Moment): boolean {
  const difference = after.now - before.now - (after.monotonic - before.monotonic);
  return Math.abs(difference) > JUMP_MS_MIN;
}
