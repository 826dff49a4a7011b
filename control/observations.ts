import type { Clock } from '../src/core/clock.ts';
import { stepMs, type Deployment } from '../src/core/deployment.ts';
import { evaluateHealth, type HealthReport } from '../src/core/health.ts';
import type { Evidence } from '../src/core/judge/evidence.ts';
import type { LanesTotals } from '../src/core/lane-totals.ts';
import { LANES, type Lane } from '../src/core/lane.ts';
import { membershipOf } from '../src/core/membership.ts';
import type { Route } from '../src/core/route.ts';
import { laneSettingsOf, type LaneSettings } from '../config/lane-queues.ts';
import { isEnded } from '../src/core/deployment-states.ts';
import type { Worker } from '../src/core/worker.ts';
import type { Store } from '../src/runtime/store/store.ts';
import { laneNotes } from './lanes/health-notes.ts';
import type { QueueCatalog } from './lanes/queue-catalog.ts';
import { readQueue, type QueueReading } from './lanes/queue-reading.ts';

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
  /** What lies in the queue's lanes; undefined for hash_ring, and once the deployment has ended. */
  readonly queue: QueueReading | undefined;
  /** What else there is to say of its health, in sentences. */
  readonly notes: readonly string[];
  /** What the judge has gathered at the present percentage; undefined before it has looked. */
  readonly evidence: Evidence | undefined;
  /** What it is held against; see `requiredEvidence`. */
  readonly alpha: number;
}

export interface Observer {
  observe(deployment: Deployment): Promise<Observation>;
}

type ObservedStore = Pick<
  Store,
  'readTelemetry' | 'readStep' | 'readJudgement' | 'listWorkers' | 'getRoute' | 'readDepths' | 'intake'
>;

export interface ObserverOptions {
  readonly store: ObservedStore;
  readonly clock: Clock;
  /** What evidence is held against; see `requiredEvidence`. */
  readonly alpha: number;
  readonly catalog: Pick<QueueCatalog, 'lanesOf'>;
  readonly queues: Readonly<Record<string, LaneSettings>>;
}

export function createObserver({ store, clock, alpha, catalog, queues }: ObserverOptions): Observer {
  /** Others' jobs lie in the lanes of a deployment that has ended. */
  const readLanes = async ({ queue, status, config }: Deployment): Promise<QueueReading | undefined> => {
    const lanes = isEnded(status) ? undefined : catalog.lanesOf(queue, config.routingStrategy);
    return lanes === undefined ? undefined : readQueue(store, lanes);
  };

  return {
    async observe(deployment) {
      // Of one that has ended the latest is what its last window held.
      const now = clock.now();
      const windowEnd = deployment.completedAt ?? now;
      const { id, step, config } = deployment;
      const [lanes, { lanes: ofStep }, judgement, workers, route, queue] = await Promise.all([
        store.readTelemetry(id, config.metricsWindowMs, now - windowEnd),
        store.readStep(id, step),
        store.readJudgement(id),
        store.listWorkers({ queue: deployment.queue }),
        store.getRoute(deployment.queue, deployment.tenant),
        readLanes(deployment),
      ]);
      const evidence = judgement?.step === step ? judgement.evidence : undefined;
      // Health is about the present percentage; what came before it was another mix of jobs.
      const { stranded_after } = laneSettingsOf(queues, deployment.queue);
      const judged = stepMs(deployment, windowEnd) < config.metricsWindowMs ? ofStep : lanes;
      return {
        windowStart: Math.max(deployment.startTime, windowEnd - config.metricsWindowMs),
        windowEnd,
        lanes,
        workers: workersByLane(deployment, route, workers),
        health: evaluateHealth(deployment, judged, evidence, alpha, windowEnd),
        queue,
        notes: laneNotes(deployment, queue, stranded_after),
        evidence,
        alpha,
      };
    },
  };
}

/** @param workers those that serve its queue */
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
  return {
    stable: workers.filter((worker) => laneOf(worker) === 'stable'),
    canary: workers.filter((worker) => laneOf(worker) === 'canary'),
  };
}
