import { collectDefaultMetrics, Registry } from 'prom-client';
import { countBelow } from '../src/core/histogram.ts';
import { OUTCOME_INDEX, OUTCOMES } from '../src/core/outcome.ts';
import type { RoutingTable } from '../src/core/routing-table.ts';
import {
  computedCounter,
  computedGauge,
  computedHistogram,
  type Labels,
} from '../src/runtime/metrics/computed.ts';
import type { DispatchServer } from './dispatch-server.ts';
import type { WorkerEndpoint } from './endpoint.ts';
import type { Ramps } from './ramps.ts';
import type { RouteFollower } from './route-follower.ts';
import type { DispatchTelemetry, Series } from './telemetry.ts';
import type { WaitingRoom } from './waiting-room.ts';

/**
 * The proxy's `/metrics`. Unless asked otherwise without a tenant label: series of a queue's tenants are added up.
 */

/** Powers of two from 1 ms to 65.536 s: bucket bounds of the internal histogram, so the counts are exact. */
const DURATION_BOUNDS_MS = Array.from({ length: 17 }, (_, i) => 2 ** i);

/** Gauges that prom-client names like counters; the same without `_total` tell more, by type. */
const MISNAMED = ['handles', 'requests', 'resources'].map((what) => `nodejs_active_${what}_total`);

interface MetricsSources {
  readonly telemetry: DispatchTelemetry;
  readonly table: RoutingTable<WorkerEndpoint>;
  readonly follower: RouteFollower;
  readonly server: DispatchServer;
  readonly waitingRoom: WaitingRoom;
  readonly ramps: Ramps;
  readonly version: string;
  /** Jobs of tenants with routes of their own are counted apart; the label is empty for all others. */
  readonly byTenant: boolean;
}

export function createProxyMetrics(sources: MetricsSources): Registry {
  const { telemetry, table, follower, server, waitingRoom, ramps, version, byTenant } = sources;
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  MISNAMED.forEach((name) => registry.removeSingleMetric(name));

  computedGauge(registry, 'lanewise_build_info', 'Release of Lanewise; always 1.', () => [
    { labels: { version, component: 'proxy' }, value: 1 },
  ]);
  computedCounter(registry, 'canary_jobs_total', 'Dispatches that ended, by where they went and how.', () =>
    bySeriesLabels(telemetry, byTenant, (labels, members) =>
      OUTCOMES.map((outcome) => ({
        labels: { ...labels, outcome },
        value: sum(members, (series) => series.outcomes[OUTCOME_INDEX[outcome]]!),
      })),
    ),
  );
  computedHistogram(
    registry,
    'canary_job_duration_seconds',
    'From the arrival of a dispatch, or the start of its retry, to the end of the answer; without `aborted`.',
    DURATION_BOUNDS_MS.map((ms) => ms / 1000),
    () =>
      bySeriesLabels(telemetry, byTenant, (labels, members) => [
        {
          labels,
          cumulative: DURATION_BOUNDS_MS.map((ms) =>
            sum(members, (series) => countBelow(series.latency, ms)),
          ),
          sum: sum(members, (series) => series.latency.sum) / 1000,
          count: sum(members, (series) => series.latency.count),
        },
      ]),
  );
  computedGauge(registry, 'canary_jobs_in_flight', 'Dispatches under way on a worker.', () =>
    bySeriesLabels(telemetry, byTenant, (labels, members) => [
      { labels, value: sum(members, (series) => series.inFlight) },
    ]),
  );
  computedGauge(registry, 'canary_proxy_connections', 'Connections of producers, within the limit.', () => [
    { labels: {}, value: server.connections },
  ]);
  computedGauge(
    registry,
    'canary_jobs_pending',
    'Dispatches that wait for a place, all workers of their lane being full.',
    () => [{ labels: {}, value: waitingRoom.size }],
  );
  computedCounter(
    registry,
    'canary_worker_ejections_total',
    'How often this proxy left a worker alone for a while because it kept failing.',
    () =>
      endpointsOf(table).map(({ worker, ejections }) => ({
        labels: { worker: worker.id, version: worker.version },
        value: ejections,
      })),
  );
  computedGauge(registry, 'canary_workers_ejected', 'Workers that are left alone at present.', () => [
    { labels: {}, value: endpointsOf(table).filter(({ health }) => health.kind === 'ejected').length },
  ]);
  computedCounter(
    registry,
    'canary_worker_probes_total',
    'Probes of the health paths of workers, by how the worker was.',
    () =>
      endpointsOf(table)
        .filter(({ worker }) => worker.healthPath !== undefined)
        .flatMap(({ worker: { id, version: ofWorker }, probes }) =>
          Object.entries(probes).map(([result, value]) => ({
            labels: { worker: id, version: ofWorker, result },
            value,
          })),
        ),
  );
  computedGauge(
    registry,
    'canary_workers_failing_probes',
    'Workers that are left alone at present because their probes fail.',
    () => [{ labels: {}, value: endpointsOf(table).filter(({ probe }) => probe.failing).length }],
  );
  computedGauge(
    registry,
    'canary_workers_ramping',
    'Workers that do not have their full share of the jobs yet: slow start.',
    () => [{ labels: {}, value: ramps.size }],
  );
  computedCounter(
    registry,
    'canary_job_fallbacks_total',
    'Dispatches that went elsewhere because nobody was home where they were meant for.',
    () => [...telemetry.queues].map(([queue, counts]) => ({ labels: { queue }, value: counts.fallbacks })),
  );
  computedCounter(
    registry,
    'canary_job_spills_total',
    "Dispatches that spilled past their key's first worker because it was too busy.",
    () => [...telemetry.queues].map(([queue, counts]) => ({ labels: { queue }, value: counts.spills })),
  );
  computedCounter(
    registry,
    'canary_job_retries_total',
    'Jobs that failed on the canary and were tried on stable, by how that ended.',
    () =>
      [...telemetry.queues].flatMap(([queue, counts]) =>
        [...counts.retries].map(([outcome, value]) => ({ labels: { queue, outcome }, value })),
      ),
  );
  computedCounter(
    registry,
    'canary_jobs_enqueued_total',
    'Jobs that came to be put into a lane, by what became of that.',
    () =>
      [...telemetry.queues].flatMap(([queue, counts]) =>
        [...counts.enqueued].map(([mark, value]) => {
          const [lane, result] = mark.split(' ') as [string, string];
          return { labels: { queue, lane, result }, value };
        }),
      ),
  );
  computedCounter(
    registry,
    'canary_dispatch_errors_total',
    'Answers that the proxy made itself, by code; an empty queue stands for all that nobody serves.',
    () =>
      [...telemetry.queues].flatMap(([queue, counts]) =>
        [...counts.errors].map(([code, value]) => ({ labels: { queue, code }, value })),
      ),
  );
  computedGauge(
    registry,
    'canary_traffic_weight_ratio',
    'Share of the jobs that the lane is set to get, 0 to 1.',
    () =>
      [...table.queues].flatMap(([queue, { route }]) => [
        { labels: { queue, lane: 'stable' }, value: (100 - route.percentage) / 100 },
        { labels: { queue, lane: 'canary' }, value: route.percentage / 100 },
      ]),
  );
  computedGauge(registry, 'canary_route_revision', 'Revision of the routes in use.', () => [
    { labels: {}, value: table.revision },
  ]);
  computedGauge(
    registry,
    'canary_routes_last_sync_timestamp_seconds',
    'When the routes were last known to be those of the store; 0: never.',
    () => [{ labels: {}, value: (follower.lastSyncAt ?? 0) / 1000 }],
  );
  computedGauge(
    registry,
    'lanewise_routes_unsaved_seconds',
    'For how long the last good routes on the disk have been behind those in use; 0: they are not.',
    () => {
      const { unsavedMs } = follower;
      return unsavedMs === undefined ? [] : [{ labels: {}, value: unsavedMs / 1000 }];
    },
  );
  return registry;
}

function endpointsOf(table: RoutingTable<WorkerEndpoint>): readonly WorkerEndpoint[] {
  return Array.from(table.workers.values(), (worker) => table.endpointOf(worker));
}

/** Calls `make` once for each queue, lane and version, and tenant if that is asked for. */
function bySeriesLabels<T>(
  telemetry: DispatchTelemetry,
  byTenant: boolean,
  make: (labels: Labels, members: readonly Series[]) => readonly T[],
): readonly T[] {
  const groups = new Map<string, Series[]>();
  const tenantOf = ({ tenant }: Series): string => (byTenant && tenant) || '';
  for (const series of telemetry.series) {
    const key = `${series.queue}\n${series.lane}\n${series.version}\n${tenantOf(series)}`;
    const members = groups.get(key);
    if (members === undefined) groups.set(key, [series]);
    else members.push(series);
  }
  return [...groups.values()].flatMap((members) => {
    const { queue, lane, version } = members[0]!;
    const labels = { queue, lane, version };
    return make(byTenant ? { ...labels, tenant: tenantOf(members[0]!) } : labels, members);
  });
}

function sum(members: readonly Series[], valueOf: (series: Series) => number): number {
  return members.reduce((total, series) => total + valueOf(series), 0);
}
