import { judgeEnded, judgeRouted } from '../../proxy/judged-jobs.ts';
import { countOutcome, DispatchTelemetry } from '../../proxy/telemetry.ts';
import { hashKey } from '../../src/core/hash.ts';
import type { CompiledRoute } from '../../src/core/decide.ts';
import type { WorkerEndpoint } from '../../proxy/endpoint.ts';
import { compiledTable } from './decision.ts';
import { median } from './run.ts';

/** Nanoseconds of one core for all that is counted of one dispatch that ends well, as `proxy/dispatch.ts` does it. */

const DISPATCHES = 1_000_000;
const RUNS = 3;
const KEY = hashKey('customer-1');

export function benchTelemetry(): number {
  const { table, queues } = compiledTable(100, 2);
  const routes = queues.map((queue) => table.routeFor(queue, undefined) as CompiledRoute<WorkerEndpoint>);
  const telemetry = new DispatchTelemetry();
  const run = (): void => {
    for (let i = 0; i < DISPATCHES; i++) {
      const route = routes[i % routes.length]!;
      const lane = i % 10 === 0 ? 'canary' : 'stable';
      const series = telemetry.seriesOf(route.queue, route.tenant, lane, route.versions[lane]);
      series.inFlight++;
      judgeRouted(telemetry, route, lane, KEY);
      const latencyMs = (i % 1000) / 10;
      countOutcome(series, 'success', latencyMs);
      judgeEnded(telemetry, route, lane, 'success', latencyMs);
      series.inFlight--;
    }
  };
  run();
  return median(
    Array.from({ length: RUNS }, () => {
      const before = process.cpuUsage();
      run();
      const { user, system } = process.cpuUsage(before);
      return ((user + system) * 1000) / DISPATCHES;
    }),
  );
}
