import type { Lane } from './lane.ts';
import { NO_WORKER_METRICS, type Worker, type WorkerMetrics, type WorkerStatus } from './worker.ts';

/** What a worker says of itself when it registers, checked. */
export interface WorkerRequest {
  readonly id: string;
  readonly version: string;
  readonly lane: Lane;
  readonly queues: readonly string[];
  readonly url?: string;
  readonly healthPath?: string;
  readonly weight: number;
  readonly maxConcurrency?: number;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/**
 * The record of a worker that has just registered. The same version again is the same worker saying hello, so its
 * counts go on; another version starts afresh.
 */
export function registered(request: WorkerRequest, previous: Worker | undefined, now: number): Worker {
  const known = previous?.version === request.version ? previous : undefined;
  return {
    ...request,
    status: 'healthy',
    recordVersion: (previous?.recordVersion ?? 0) + 1,
    registeredAt: known?.registeredAt ?? now,
    lastSeen: now,
    metrics: known?.metrics ?? NO_WORKER_METRICS,
  };
}

/** A status call: the worker was seen, and its figures are replaced one by one. */
export function reported(
  worker: Worker,
  status: WorkerStatus,
  metrics: Partial<WorkerMetrics>,
  now: number,
): Worker {
  const { statusBeforeSilence: _heardNow, ...record } = worker;
  return {
    ...record,
    status,
    recordVersion: worker.recordVersion + 1,
    lastSeen: now,
    metrics: { ...worker.metrics, ...metrics },
  };
}
