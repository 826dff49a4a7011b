import { Hono } from 'hono';
import type { Registry } from 'prom-client';
import type { CompiledRoute } from '../src/core/decide.ts';
import type { Clock } from '../src/core/clock.ts';
import type { Pool } from '../src/core/pool.ts';
import type { RoutingTable } from '../src/core/routing-table.ts';
import type { DispatchServer } from './dispatch-server.ts';
import type { WorkerEndpoint } from './endpoint.ts';
import type { RouteFollower } from './route-follower.ts';
import type { WaitingRoom } from './waiting-room.ts';

/** What the admin listener answers: is it alive, may it have traffic, what does it route by, what did it count. */

interface AdminSources {
  readonly proxyId: string;
  readonly table: RoutingTable<WorkerEndpoint>;
  readonly follower: RouteFollower;
  readonly server: DispatchServer;
  readonly waitingRoom: WaitingRoom;
  readonly clock: Clock;
  readonly metrics: Registry;
}

export function createAdminApp(sources: AdminSources): Hono {
  const { proxyId, table, follower, server, waitingRoom, clock, metrics } = sources;
  const app = new Hono();

  app.get('/healthz', (c) => c.json({ status: 'ok' }));

  app.get('/readyz', (c) => {
    if (server.isDraining) return c.json({ status: 'draining' }, 503);
    if (!follower.hasRoutes) return c.json({ status: 'waiting for routes' }, 503);
    return c.json({ status: 'ready', revision: table.revision });
  });

  app.get('/metrics', async (c) => {
    c.header('Content-Type', metrics.contentType);
    return c.body(await metrics.metrics());
  });

  app.get('/routes', (c) =>
    c.json({
      proxy: proxyId,
      epoch: table.epoch,
      revision: table.revision,
      last_sync: follower.lastSyncAt === undefined ? null : new Date(follower.lastSyncAt).toISOString(),
      connections: server.connections,
      in_flight: server.inFlight,
      waiting: waitingRoom.size,
      queues: byName([...table.queues], ([queue]) => queue).flatMap(([queue, compiled]) =>
        [compiled.route, ...compiled.tenants.values()].map((route) => describeRoute(queue, route)),
      ),
      workers: byName([...table.workers.values()], ({ id }) => id).map((worker) => {
        const endpoint = table.endpointOf(worker);
        return {
          id: worker.id,
          version: worker.version,
          registered_lane: worker.lane,
          queues: worker.queues,
          url: worker.url ?? null,
          status: worker.status,
          weight: worker.weight,
          usable: endpoint.usable,
          share: Math.round(1000 * endpoint.share) / 1000,
          ...describeHealth(endpoint, clock),
          ...describeProbes(endpoint),
          in_flight: endpoint.inFlight,
          max_concurrency: worker.maxConcurrency ?? null,
          waiting: waitingRoom.waitingFor(endpoint),
        };
      }),
    }),
  );

  app.notFound((c) =>
    c.json({ error: `There is no ${c.req.path} here`, code: 'NOT_FOUND', details: {} }, 404),
  );
  return app;
}

/** `health` is what this proxy has seen; `status` above is what the registry says. */
function describeHealth({ health, ejections }: WorkerEndpoint, clock: Clock) {
  return {
    health: health.kind,
    failures: health.kind === 'healthy' ? health.failures : 0,
    ejections,
    ejected_until:
      health.kind === 'ejected'
        ? new Date(clock.now() + health.until - clock.monotonic()).toISOString()
        : null,
  };
}

function describeProbes({ worker, probe, probes }: WorkerEndpoint) {
  return {
    health_path: worker.healthPath ?? null,
    probes: worker.healthPath === undefined ? null : { failing: probe.failing, ...probes },
  };
}

/** The same order whatever came first, so that two proxies can be compared. */
function byName<T>(items: readonly T[], nameOf: (item: T) => string): readonly T[] {
  return items.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

function describeRoute(queue: string, route: CompiledRoute<WorkerEndpoint>) {
  return {
    queue,
    ...(route.tenant !== undefined && { tenant: route.tenant }),
    strategy: route.strategy,
    percentage: route.percentage,
    sticky: route.sticky,
    deployment: route.deploymentId ?? null,
    lanes: {
      stable: describePool(route.stable),
      canary: describePool(route.canary),
      reserve: describePool(route.reserve),
    },
  };
}

function describePool(pool: Pool<WorkerEndpoint>) {
  return pool.endpoints.map((endpoint, member) => ({
    worker: endpoint.worker.id,
    weight: pool.weights[member],
    in_flight: pool.inFlight[member],
  }));
}
