import { NO_WORKER_METRICS, type Worker, type WorkerMetrics } from './worker.ts';

/**
 * When a worker counts as gone. It is *seen* by a status call, by a dispatch that it answered, and by the proxies'
 * probe of its url. Not seen for the worker time-out it is `unreachable`; once it is seen again it is what it was.
 */

/** What the proxies know of a worker, added up over all of them. */
export interface WorkerActivity {
  /** The version that did it; another one starts afresh. */
  readonly version: string;
  readonly processed: number;
  readonly succeeded: number;
  readonly failed: number;
  /** Milliseconds over all processed jobs. */
  readonly totalMs: number;
  /** Milliseconds since the epoch; null if it has done none. */
  readonly lastJobAt: number | null;
  readonly lastSeen: number;
}

export function lastSeenOf(worker: Worker, activity: WorkerActivity | undefined): number {
  return Math.max(worker.lastSeen, activity?.lastSeen ?? 0);
}

/** What a worker says of itself goes before what the proxies saw of it. */
export function metricsOf(worker: Worker, activity: WorkerActivity | undefined): WorkerMetrics {
  const own = worker.metrics;
  if (activity === undefined || activity.version !== worker.version || activity.processed === 0) return own;
  const seen: WorkerMetrics = {
    ...NO_WORKER_METRICS,
    jobsProcessed: activity.processed,
    jobsSucceeded: activity.succeeded,
    jobsFailed: activity.failed,
    avgProcessingTime: activity.totalMs / activity.processed,
    lastJobAt: activity.lastJobAt,
  };
  const { jobsProcessed, jobsSucceeded, jobsFailed } = own.jobsProcessed > 0 ? own : seen;
  return {
    jobsProcessed,
    jobsSucceeded,
    jobsFailed,
    avgProcessingTime: own.avgProcessingTime ?? seen.avgProcessingTime,
    memoryUsageMb: own.memoryUsageMb,
    cpuUsagePercent: own.cpuUsagePercent,
    lastJobAt: own.lastJobAt ?? seen.lastJobAt,
  };
}

/** The worker's record as the API shows it. */
export function withActivity(worker: Worker, activity: WorkerActivity | undefined): Worker {
  return { ...worker, lastSeen: lastSeenOf(worker, activity), metrics: metricsOf(worker, activity) };
}

/**
 * What the time-out makes of a worker.
 * @param silentFrom since when nobody could have seen it, in milliseconds since the epoch
 * @returns the changed record, or undefined where it stays as it is
 */
export function afterSilence(
  worker: Worker,
  silentFrom: number,
  now: number,
  timeoutMs: number,
): Worker | undefined {
  const isSilent = now - silentFrom > timeoutMs;
  const { statusBeforeSilence, ...rest } = worker;
  if (isSilent && worker.status !== 'unreachable') {
    return {
      ...worker,
      recordVersion: worker.recordVersion + 1,
      status: 'unreachable',
      statusBeforeSilence: worker.status,
    };
  }
  if (!isSilent && statusBeforeSilence !== undefined) {
    return { ...rest, recordVersion: worker.recordVersion + 1, status: statusBeforeSilence };
  }
  return undefined;
}
