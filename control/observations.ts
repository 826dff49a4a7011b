import type { Clock } from '../src/core/clock.ts';
import type { Deployment } from '../src/core/deployment.ts';
import { evaluateHealth, type HealthReport } from '../src/core/health.ts';
import type { LanesTotals } from '../src/core/lane-totals.ts';
import { LANES, type Lane } from '../src/core/lane.ts';
import { membershipOf } from '../src/core/membership.ts';
import type { Route } from '../src/core/route.ts';
import type { Worker } from '../src/core/worker.ts';
import type { Store } from '../src/runtime/store/store.ts';

/**
 * What is known of a deployment right now: what became of the jobs in its window, from the telemetry of all proxies,
 * the workers of its lanes, from the registry, and the checks that follow from them.
 */
export interface Observation {
  /** Milliseconds since the epoch. */
  readonly windowStart: number;
  readonly windowEnd: number;
  readonly lanes: LanesTotals;
  readonly workers: Readonly<Record<Lane, readonly Worker[]>>;
  readonly health: HealthReport;
}

export interface Observer {
  observe(deployment: Deployment): Promise<Observation>;
}

type ObservedStore = Pick<Store, 'readTelemetry' | 'listWorkers' | 'getRoute'>;

export function createObserver(store: ObservedStore, clock: Clock): Observer {
  return {
    async observe(deployment) {
      // Of one that has ended the latest is what its last window held.
      const now = clock.now();
      const windowEnd = deployment.completedAt ?? now;
      const [lanes, workers, route] = await Promise.all([
        store.readTelemetry(deployment.id, deployment.config.metricsWindowMs, now - windowEnd),
        store.listWorkers(),
        store.getRoute(deployment.queue, deployment.tenant),
      ]);
      return {
        windowStart: Math.max(deployment.startTime, windowEnd - deployment.config.metricsWindowMs),
        windowEnd,
        lanes,
        workers: workersByLane(deployment, route, workers),
        health: evaluateHealth(deployment, lanes, windowEnd),
      };
    },
  };
}

function workersByLane(
  deployment: Deployment,
  route: Route | undefined,
  workers: readonly Worker[],
): Observation['workers'] {
  const isOpen = route?.split?.deploymentId === deployment.id;
  const laneOf = (worker: Worker): string | undefined => {
    if (isOpen) return membershipOf(worker, route);
    return LANES.find((lane) => worker.version === deployment[`${lane}Version`]);
  };
  const serving = workers.filter(({ queues }) => queues.includes(deployment.queue));
  return {
    stable: serving.filter((worker) => laneOf(worker) === 'stable'),
    canary: serving.filter((worker) => laneOf(worker) === 'canary'),
  };
}
