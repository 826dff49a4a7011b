import { describe, expect, test } from 'vitest';
import {
  effectiveWeight,
  NO_WORKER_METRICS,
  takesJobs,
  toRoutedWorker,
  WORKER_STATUSES,
  type Worker,
} from '../../src/core/worker.ts';
import { workerOf } from './fixtures.ts';

describe('a worker', () => {
  test('takes jobs while it is healthy or degraded', () => {
    const url = 'http://127.0.0.1:3000';
    expect(WORKER_STATUSES.filter((status) => takesJobs(workerOf('w', { url, status })))).toEqual([
      'healthy',
      'degraded',
    ]);
  });

  test('without a url takes none: it reads its queue itself', () => {
    expect(takesJobs(workerOf('w'))).toBe(false);
  });

  test('that is degraded takes half of its share', () => {
    expect(effectiveWeight(workerOf('w', { weight: 3 }))).toBe(3);
    expect(effectiveWeight(workerOf('w', { weight: 3, status: 'degraded' }))).toBe(1.5);
  });
});

test('the routing part of a worker has nothing that changes without a routing change', () => {
  const routed = workerOf('w', { url: 'http://127.0.0.1:3000', maxConcurrency: 4 });
  const record: Worker = {
    ...routed,
    recordVersion: 3,
    registeredAt: 1,
    lastSeen: 2,
    metrics: NO_WORKER_METRICS,
    metadata: { zone: 'a' },
  };
  expect(toRoutedWorker(record)).toEqual(routed);
  expect(Object.keys(toRoutedWorker(workerOf('w')))).not.toContain('url');
});
