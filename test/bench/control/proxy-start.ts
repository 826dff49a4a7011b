import { RoutingTable } from '../../../src/core/routing-table.ts';
import { BOUNDED_LOAD_DEFAULT, type Endpoint } from '../../../src/core/pool.ts';
import type { RoutedWorker } from '../../../src/core/worker.ts';
import type { Store } from '../../../src/runtime/store/store.ts';

/** What the routes of a fleet cost a proxy that starts: reading them, and compiling its table. */

const ROUNDS = 3;

/** @returns milliseconds of CPU, the least of some rounds */
export async function startCost(store: Store): Promise<number> {
  let least = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const endpoints = new Map<string, Endpoint>();
    const endpointOf = (worker: RoutedWorker): Endpoint => {
      const endpoint = endpoints.get(worker.id) ?? {
        worker,
        takesJobs: true,
        usable: true,
        share: 1,
        inFlight: 0,
      };
      endpoints.set(worker.id, endpoint);
      return endpoint;
    };
    const policyOf = () => ({
      strategy: undefined,
      strategyDefault: 'hash_ring' as const,
      laneOverride: false,
      boundedLoad: BOUNDED_LOAD_DEFAULT,
    });
    const cpu = process.cpuUsage();
    new RoutingTable<Endpoint>({ endpointOf, policyOf }).replace(await store.readSnapshot());
    const { user, system } = process.cpuUsage(cpu);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}
