import type { Clock } from '../src/core/clock.ts';
import { registered, type WorkerRequest } from '../src/core/worker-changes.ts';
import type { Worker } from '../src/core/worker.ts';
import type { Logger } from '../src/runtime/log.ts';
import { startPeriodic, type Periodic } from '../src/runtime/periodic.ts';
import type { WorkerStore } from '../src/runtime/store/store.ts';

/**
 * Keeps the worker beside a sidecar registered, so that the worker itself needs no code: at the start, again when the
 * registration was lost (a store that was emptied, say), and no longer once the sidecar ends. That the worker listens is
 * seen by the probes that all workers get.
 */
export interface OwnWorkerOptions {
  readonly worker: WorkerRequest;
  readonly store: WorkerStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly everyMs: number;
}

export function registerOwnWorker({ worker, store, clock, log, everyMs }: OwnWorkerOptions): Periodic {
  const look = async (): Promise<void> => {
    try {
      const stored = await store.getWorker(worker.id);
      if (stored !== undefined && isAsWanted(stored, worker)) return;
      const record = registered(worker, stored, clock.now());
      // Whoever came in between is looked at next time.
      const { kind } = await store.saveWorker(record, stored?.recordVersion ?? 0);
      if (kind === 'saved') log.info({ worker: worker.id, version: worker.version }, 'own worker registered');
    } catch (error) {
      log.warn({ err: error, worker: worker.id }, 'own worker could not be registered; trying again');
    }
  };
  const first = look();
  const rounds = startPeriodic(() => everyMs, look);
  return {
    async stop() {
      await first;
      await rounds.stop();
      try {
        const stored = await store.getWorker(worker.id);
        if (stored !== undefined) await store.removeWorker(worker.id, stored.recordVersion);
      } catch (error) {
        log.warn({ err: error, worker: worker.id }, 'own worker could not be taken from the registry');
      }
    },
  };
}

/** An operator's status, weight and the like are left alone. */
function isAsWanted(stored: Worker, wanted: WorkerRequest): boolean {
  return (
    stored.version === wanted.version &&
    stored.url === wanted.url &&
    stored.healthPath === wanted.healthPath &&
    stored.lane === wanted.lane &&
    stored.queues.join() === wanted.queues.join()
  );
}
