import type { Deployment } from '../../src/core/deployment.ts';
import { KeyCounts } from '../../src/core/key-counts.ts';
import { createPool, type Endpoint, type Pool } from '../../src/core/pool.ts';
import type { RoutedWorker } from '../../src/core/worker.ts';

/** Domain values with every field that a test doesn't care about filled in. */

export function workerOf(id: string, over: Partial<RoutedWorker> = {}): RoutedWorker {
  return { id, version: 'v1', lane: 'stable', queues: ['q'], weight: 1, status: 'healthy', ...over };
}

/** An endpoint whose state a test may set, as the proxy would. */
export interface TestEndpoint extends Endpoint {
  worker: RoutedWorker;
  takesJobs: boolean;
  usable: boolean;
  share: number;
  inFlight: number;
}

export function endpointOf(worker: RoutedWorker): TestEndpoint {
  return { worker, takesJobs: true, usable: true, share: 1, inFlight: 0 };
}

export function poolOf(...workers: readonly RoutedWorker[]): Pool<TestEndpoint> {
  return createPool(workers.map(endpointOf));
}

class EveryKey extends KeyCounts {
  override has(): boolean {
    return true;
  }
}

/** Gives a member so many dispatches under way, in every count that decisions read, and makes every key a hot one. */
export function setInFlight(pool: Pool<TestEndpoint>, member: number, inFlight: number): void {
  pool.inFlightTotal += inFlight - pool.inFlight[member]!;
  pool.inFlight[member] = inFlight;
  pool.endpoints[member]!.inFlight = inFlight;
  Object.assign(pool, { keysInFlight: new EveryKey() });
}

export function deploymentOf(over: Partial<Deployment> = {}): Deployment {
  return {
    id: 'canary_1',
    version: 1,
    queue: 'q',
    stableVersion: 'v1',
    canaryVersion: 'v2',
    currentPercent: 0,
    targetPercent: 100,
    status: 'active',
    startTime: 0,
    lastUpdate: 0,
    step: 1,
    activeFrom: 0,
    stepFrom: 0,
    config: {
      routingStrategy: 'hash_ring',
      stickyRouting: true,
      autoPromotion: false,
      maxCanaryDurationMs: 7_200_000,
      minCanaryDurationMs: 0,
      drainTimeoutMs: 60_000,
      metricsWindowMs: 300_000,
      fallback: 'stable',
      autoRollback: true,
      analysis: 'sequential',
      stages: [],
      retryOnStable: false,
      requiredKeys: 0,
      rollbackThresholds: {
        maxErrorRateIncrease: 5,
        maxLatencyIncrease: 50,
        maxThroughputDecrease: 20,
        minSuccessRate: 95,
        requiredSampleSize: 100,
      },
    },
    ...over,
  };
}

/** The same numbers in [0, 1) at every run (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Ids of the shapes that jobs and customers really have; the n-th is the same at every run. */
export const KEY_SHAPES: Readonly<Record<string, (n: number) => string>> = {
  'sequential numbers': (n) => String(n),
  'user-<n>': (n) => `user-${n}`,
  uuids: (n) => {
    const random = randomOf(n);
    const hex = (digits: number): string =>
      Math.floor(random() * 16 ** digits)
        .toString(16)
        .padStart(digits, '0');
    return `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(6)}${hex(6)}`;
  },
  'ids that differ in the middle': (n) => `order/${String(n).padStart(8, '0')}/eu-west-1/invoice`,
};

export function keysOf(shape: (n: number) => string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => shape(n));
}
