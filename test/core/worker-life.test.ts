import { describe, expect, test } from 'vitest';
import { afterSilence, lastSeenOf, withActivity, type WorkerActivity } from '../../src/core/worker-life.ts';
import { NO_WORKER_METRICS, type Worker } from '../../src/core/worker.ts';
import { workerOf } from './fixtures.ts';

const MINUTE = 60_000;
const NOW = 1_000 * MINUTE;

function recordOf(over: Partial<Worker> = {}): Worker {
  return {
    ...workerOf('w'),
    recordVersion: 7,
    registeredAt: 0,
    lastSeen: NOW - 5 * MINUTE,
    metrics: NO_WORKER_METRICS,
    ...over,
  };
}

const ACTIVITY: WorkerActivity = {
  version: 'v1',
  processed: 10,
  succeeded: 8,
  failed: 2,
  totalMs: 1000,
  lastJobAt: NOW - 1,
  lastSeen: NOW,
};

describe('a worker that nobody has seen for the time-out', () => {
  test('is unreachable, and remembers what it was', () => {
    expect(afterSilence(recordOf({ status: 'degraded' }), NOW - 2 * MINUTE - 1, NOW, 2 * MINUTE)).toEqual(
      recordOf({ status: 'unreachable', statusBeforeSilence: 'degraded', recordVersion: 8 }),
    );
  });

  test('is what it was once it is seen again', () => {
    const silent = recordOf({ status: 'unreachable', statusBeforeSilence: 'degraded' });
    expect(afterSilence(silent, NOW, NOW, 2 * MINUTE)).toEqual(
      recordOf({ status: 'degraded', recordVersion: 8 }),
    );
  });

  test('stays as it is until then, and before', () => {
    expect(afterSilence(recordOf(), NOW - 2 * MINUTE, NOW, 2 * MINUTE)).toBeUndefined();
    const silent = recordOf({ status: 'unreachable', statusBeforeSilence: 'healthy' });
    expect(afterSilence(silent, 0, NOW, 2 * MINUTE)).toBeUndefined();
  });

  test('that said of itself that it is unreachable does not come back by being seen', () => {
    expect(afterSilence(recordOf({ status: 'unreachable' }), NOW, NOW, 2 * MINUTE)).toBeUndefined();
  });
});

describe('a worker as the API shows it', () => {
  test('was seen when the latest of all heard of it', () => {
    expect(lastSeenOf(recordOf(), ACTIVITY)).toBe(NOW);
    expect(lastSeenOf(recordOf(), undefined)).toBe(NOW - 5 * MINUTE);
  });

  test('has the figures that the proxies saw, where it gave none itself', () => {
    const metrics = { ...NO_WORKER_METRICS, memoryUsageMb: 128 };
    expect(withActivity(recordOf({ metrics }), ACTIVITY).metrics).toEqual({
      jobsProcessed: 10,
      jobsSucceeded: 8,
      jobsFailed: 2,
      avgProcessingTime: 100,
      memoryUsageMb: 128,
      cpuUsagePercent: null,
      lastJobAt: NOW - 1,
    });
    const own = { ...NO_WORKER_METRICS, jobsProcessed: 3, jobsSucceeded: 3, avgProcessingTime: 5 };
    expect(withActivity(recordOf({ metrics: own }), ACTIVITY).metrics).toMatchObject({
      jobsProcessed: 3,
      jobsFailed: 0,
      avgProcessingTime: 5,
    });
  });

  test('has no figures of another version', () => {
    expect(withActivity(recordOf({ version: 'v2' }), ACTIVITY).metrics).toEqual(NO_WORKER_METRICS);
  });
});
