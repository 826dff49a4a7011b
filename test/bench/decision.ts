import { hashKey } from '../../src/core/hash.ts';
import { decide } from '../../src/core/decide.ts';
import { BOUNDED_LOAD_DEFAULT, occupy, vacate, type Endpoint } from '../../src/core/pool.ts';
import { RoutingTable } from '../../src/core/routing-table.ts';
import type { Route } from '../../src/core/route.ts';
import type { RoutedWorker } from '../../src/core/worker.ts';
import { median, type DecisionRow } from './run.ts';

/** Decisions a second of one core's time: queue looked up, lane and worker chosen, load counted, with 10 % canary. */

const DECISIONS = 2_000_000;
const RUNS = 3;

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

/** A proxy's routing state: so many queues, each with a deployment at 10 %, all on the same workers. */
export function compiledTable(
  queueCount: number,
  workersPerLane: number,
): { readonly table: RoutingTable<Endpoint>; readonly queues: readonly string[] } {
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
    Array.from({ length: workersPerLane }, (_, i) => workerOf(name, i, queues));
  table.replace({
    epoch: 'bench',
    revision: 1,
    routes: queues.map(routeOf),
    workers: [...lane('stable'), ...lane('canary')],
  });
  return { table, queues };
}

export function benchDecisions(queueCount: number, workersPerLane: number): DecisionRow {
  const { table, queues } = compiledTable(queueCount, workersPerLane);
  const keys = Array.from({ length: 4096 }, (_, i) =>
    asParsed(`0191e0c5-7b1a-7${i.toString(16).padStart(3, '0')}-8a3f-${i}`),
  );

  const run = (count: number): number => {
    let canary = 0;
    for (let i = 0; i < count; i++) {
      const route = table.routeFor(queues[i % queueCount]!, undefined)!;
      const placement = decide(route, hashKey(keys[i % keys.length]!), undefined, Math.random)!;
      occupy(placement);
      if (placement.lane === 'canary') canary++;
      vacate(placement);
    }
    return canary / count;
  };
  const share = run(DECISIONS / 10);
  if (share < 0.08 || share > 0.12) throw new Error(`10 % canary, but ${100 * share} % went there`);
  // CPU time: what else the machine does must not count.
  const perSecond = median(
    Array.from({ length: RUNS }, () => {
      const before = process.cpuUsage();
      run(DECISIONS);
      const { user, system } = process.cpuUsage(before);
      return DECISIONS / ((user + system) / 1e6);
    }),
  );
  return { queues: queueCount, workersPerLane, perSecond };
}

/** Flat, as the HTTP parser hands header values over; an engine keeps what was put together as its parts, which reads slower. */
function asParsed(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
