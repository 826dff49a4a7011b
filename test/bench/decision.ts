import { decide } from '../../src/core/decide.ts';
import { BOUNDED_LOAD_DEFAULT, occupy, vacate, type Endpoint } from '../../src/core/pool.ts';
import { RoutingTable } from '../../src/core/routing-table.ts';
import type { Route } from '../../src/core/route.ts';
import type { RoutedWorker } from '../../src/core/worker.ts';

/** Decisions a second of one core's time: queue looked up, lane and worker chosen, load counted, with 10 % canary. */

const WORKERS_A_LANE = 100;
const DECISIONS = 2_000_000;

export interface DecisionResult {
  readonly queues: number;
  readonly perSecond: number;
}

function workerOf(lane: 'stable' | 'canary', i: number, queues: readonly string[]): RoutedWorker {
  const version = lane === 'stable' ? 'v1' : 'v2';
  return {
    id: `${lane}-${i}`,
    version,
    lane,
    queues,
    url: 'http://127.0.0.1:1',
    weight: 1,
    status: 'healthy',
  };
}

function routeOf(queue: string): Route {
  return {
    queue,
    revision: 1,
    strategy: 'hash_ring',
    stableVersion: 'v1',
    superseded: [],
    rejected: [],
    split: {
      deploymentId: `canary_${queue}`,
      canaryVersion: 'v2',
      percentage: 10,
      sticky: true,
      step: 1,
      fallback: 'stable',
      retryOnStable: false,
      countsKeys: false,
    },
    promotedAt: 0,
    decidedAt: 1,
  };
}

export function benchDecisions(queueCount: number): DecisionResult {
  const queues = Array.from({ length: queueCount }, (_, i) => `queue-${i}`);
  const endpoints = new Map<string, Endpoint>();
  const table = new RoutingTable<Endpoint>({
    endpointOf(worker) {
      let endpoint = endpoints.get(worker.id);
      if (endpoint === undefined)
        endpoints.set(
          worker.id,
          (endpoint = { worker, takesJobs: true, usable: true, share: 1, inFlight: 0 }),
        );
      return endpoint;
    },
    policyOf: () => ({
      strategy: undefined,
      strategyDefault: 'hash_ring',
      laneOverride: false,
      boundedLoad: BOUNDED_LOAD_DEFAULT,
    }),
  });
  const lane = (name: 'stable' | 'canary') =>
    Array.from({ length: WORKERS_A_LANE }, (_, i) => workerOf(name, i, queues));
  table.replace({
    epoch: 'bench',
    revision: 1,
    routes: queues.map(routeOf),
    workers: [...lane('stable'), ...lane('canary')],
  });
  const keys = Array.from(
    { length: 4096 },
    (_, i) => `0191e0c5-7b1a-7${(i % 4096).toString(16).padStart(3, '0')}-8a3f-${i}`,
  );

  const run = (count: number): number => {
    let canary = 0;
    for (let i = 0; i < count; i++) {
      const route = table.routeFor(queues[i % queueCount]!, undefined)!;
      const placement = decide(route, keys[i % keys.length]!, undefined, Math.random)!;
      occupy(placement);
      if (placement.lane === 'canary') canary++;
      vacate(placement);
    }
    return canary / count;
  };
  const share = run(DECISIONS / 10);
  if (share < 0.08 || share > 0.12) throw new Error(`10 % canary, but ${100 * share} % went there`);
  // CPU time: what else the machine does must not count.
  const before = process.cpuUsage();
  run(DECISIONS);
  const { user, system } = process.cpuUsage(before);
  return { queues: queueCount, perSecond: DECISIONS / ((user + system) / 1e6) };
}
