import type { Lane } from './lane.ts';

export const WORKER_STATUSES = ['healthy', 'degraded', 'unhealthy', 'unreachable'] as const;
export type WorkerStatus = (typeof WORKER_STATUSES)[number];

/** What a proxy needs to know about a worker. A change here is a routing change. */
export interface RoutedWorker {
  readonly id: string;
  readonly version: string;
  /** The lane it registered with; see `membership.ts` for the lane that it serves. */
  readonly lane: Lane;
  readonly queues: readonly string[];
  /** Where to dispatch over HTTP; without one, only consumers that read Redis themselves serve this worker. */
  readonly url?: string;
  /** Of the url; answers 2xx while the worker is well. Without one, a worker that takes connections is. */
  readonly healthPath?: string;
  readonly weight: number;
  /** Jobs at once, as seen by one proxy. */
  readonly maxConcurrency?: number;
  readonly status: WorkerStatus;
}

export interface WorkerMetrics {
  readonly jobsProcessed: number;
  readonly jobsSucceeded: number;
  readonly jobsFailed: number;
  /** Milliseconds. */
  readonly avgProcessingTime: number | null;
  readonly memoryUsageMb: number | null;
  readonly cpuUsagePercent: number | null;
  /** Milliseconds since the epoch. */
  readonly lastJobAt: number | null;
}

/** A worker as the registry keeps it. */
export interface Worker extends RoutedWorker {
  /** Number of this record's writes; for compare-and-set. */
  readonly recordVersion: number;
  /** Milliseconds since the epoch. */
  readonly registeredAt: number;
  readonly lastSeen: number;
  readonly metrics: WorkerMetrics;
  /** What it was before it fell silent; only while it is `unreachable` for that. */
  readonly statusBeforeSilence?: WorkerStatus;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export const NO_WORKER_METRICS: WorkerMetrics = {
  jobsProcessed: 0,
  jobsSucceeded: 0,
  jobsFailed: 0,
  avgProcessingTime: null,
  memoryUsageMb: null,
  cpuUsagePercent: null,
  lastJobAt: null,
};

/** The routing part of a worker's record. */
export function toRoutedWorker(worker: RoutedWorker): RoutedWorker {
  return {
    id: worker.id,
    version: worker.version,
    lane: worker.lane,
    queues: worker.queues,
    ...(worker.url !== undefined && { url: worker.url }),
    ...(worker.healthPath !== undefined && { healthPath: worker.healthPath }),
    weight: worker.weight,
    ...(worker.maxConcurrency !== undefined && { maxConcurrency: worker.maxConcurrency }),
    status: worker.status,
  };
}

/** A degraded worker takes half of its share. */
export function effectiveWeight(worker: RoutedWorker): number {
  return worker.status === 'degraded' ? worker.weight / 2 : worker.weight;
}

/** Whether jobs may be sent to it, as far as the registry knows. */
export function takesJobs(worker: RoutedWorker): boolean {
  return worker.url !== undefined && (worker.status === 'healthy' || worker.status === 'degraded');
}
