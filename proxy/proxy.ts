import { createAdaptorServer } from '@hono/node-server';
import type { createServer, RequestListener, Server, ServerOptions } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomUUID } from 'node:crypto';
import type { Registry } from 'prom-client';
import { laneQueueOf } from '../config/lane-queues.ts';
import type { Config } from '../config/load.ts';
import { RoutingTable, type QueuePolicy } from '../src/core/routing-table.ts';
import type { EjectionPolicy } from '../src/core/outlier.ts';
import { BOUNDED_LOAD_DEFAULT } from '../src/core/pool.ts';
import type { Clock } from '../src/core/clock.ts';
import type { ResolveHost } from '../src/runtime/addresses/address-allow.ts';
import { systemResolveHost } from '../src/runtime/addresses/resolve-host.ts';
import { closeServer, listen, urlOf } from '../src/runtime/listen.ts';
import type { Logger } from '../src/runtime/log.ts';
import type { Store } from '../src/runtime/store/store.ts';
import { openClientTls } from '../src/runtime/tls/client-tls.ts';
import type { FileKeeping } from '../src/runtime/tls/file-keeping.ts';
import { openServerTls } from '../src/runtime/tls/server-tls.ts';
import { createWebServer } from '../src/runtime/tls/web-server.ts';
import type { JobTracer } from '../src/runtime/tracing.ts';
import { createAdminApp } from './admin-app.ts';
import { DispatchServer } from './dispatch-server.ts';
import type { LaneRoutes } from './enqueue-plan.ts';
import { Enqueuer } from './enqueuer.ts';
import { Ejections } from './ejections.ts';
import { Endpoints, type WorkerEndpoint } from './endpoint.ts';
import { startIntakeRouting } from './lanes/intake-routing.ts';
import { startLaneConsumption, type LaneConsumption } from './lanes/lane-consumption.ts';
import { LaneTelemetry, registerLaneMetrics } from './lanes/lane-telemetry.ts';
import { createLastGoodRoutes } from './last-good-routes.ts';
import { HealthProbes } from './health-probes.ts';
import { createProxyMetrics } from './metrics.ts';
import { newJobId } from './new-job-id.ts';
import { Ramps } from './ramps.ts';
import { RouteFollower, type FollowerTiming } from './route-follower.ts';
import { DispatchTelemetry } from './telemetry.ts';
import { TelemetrySender } from './telemetry-sender.ts';
import { WaitingRoom } from './waiting-room.ts';
import type { WorkerWays } from './worker-address.ts';
import { viaOf } from './worker-headers.ts';
import { WorkerForwarder } from './worker-forwarder.ts';
import { createWorkerGuard } from './worker-guard.ts';
import { WorkerWatch } from './worker-watch.ts';

/** The data plane, put together. */

export interface ProxyOptions {
  readonly config: Config;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  readonly version: string;
  readonly timing?: Partial<FollowerTiming>;
  /** In a sidecar, the id of its worker: jobs are taken from lanes for that one alone. */
  readonly consumeFor?: string;
  readonly tracer?: JobTracer | undefined;
  /** Of certificates. Left out: they stay those of the start. */
  readonly files?: FileKeeping | undefined;
  /** Of workers' names; the system's resolver if left out. */
  readonly resolveHost?: ResolveHost | undefined;
}

export interface Proxy {
  readonly id: string;
  readonly dispatchAddress: AddressInfo;
  readonly adminAddress: AddressInfo;
  readonly dispatchUrl: string;
  readonly adminUrl: string;
  readonly table: RoutingTable<WorkerEndpoint>;
  /** What `/metrics` of the admin listener shows. */
  readonly metrics: Registry;
  /** Running dispatches finish, at most until the deadline; then everything is let go of. */
  close(drainTimeoutMs: number): Promise<void>;
}

/** @throws ListenError */
export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const { config, store, clock, log, random, tracer, files } = options;
  const id = `proxy_${randomUUID()}`;

  const waitingRoom = new WaitingRoom(config.max_pending);
  const ramps = new Ramps({ slowStartMs: config.slow_start, clock });
  const ejections = new Ejections({
    policy: ejectionPolicy(config),
    probing: {
      unhealthyAfter: config.health_check.unhealthy_after,
      healthyAfter: config.health_check.healthy_after,
    },
    clock,
    log,
    table: () => table,
    waitingRoom,
    ramps,
  });
  const dispatchTls = openServerTls('proxy.tls', config.proxy.tls, files);
  const adminTls = openServerTls('admin.tls', config.admin.tls, files);
  const guard = createWorkerGuard(config, options.resolveHost ?? systemResolveHost, log);
  const ways: WorkerWays = {
    timeouts: {
      connect: config.dispatch.connect_timeout,
      responseHeader: config.dispatch.response_header_timeout,
      idleBody: config.dispatch.idle_body_timeout,
    },
    tls: openClientTls('proxy.worker_tls', config.proxy.worker_tls, files),
    guard,
  };
  const endpoints = new Endpoints(
    (url) => new WorkerForwarder(url, ways),
    ejections,
    (error) => log.warn({ err: error }, "a former worker's connections did not close"),
  );
  const table: RoutingTable<WorkerEndpoint> = new RoutingTable({
    endpointOf: (worker) => endpoints.of(worker),
    policyOf: (queue) => policyOf(config, queue),
  });
  let lanes: LaneConsumption | undefined;
  const follower = new RouteFollower({
    proxyId: id,
    store,
    table,
    clock,
    log,
    random,
    onChanged: ({ queues, gone }) => {
      endpoints.drop(gone);
      lanes?.onRoutesChanged(queues);
      waitingRoom.wakeAll();
    },
    // The embedded store is on this disk already.
    ...(store.kind !== 'embedded' && {
      lastGood: createLastGoodRoutes(config.data_dir, (reason) =>
        log.warn({ reason }, 'the last good routes cannot be read; starting without'),
      ),
    }),
    ...(options.timing !== undefined && { timing: options.timing }),
  });
  const telemetry = new DispatchTelemetry();
  const laneRoutes: LaneRoutes = {
    table,
    policyOf: (queue) => (Object.hasOwn(config.queues, queue) ? policyOf(config, queue) : undefined),
    laneQueueOf: (queue, strategy) => laneQueueOf(config.queues, queue, strategy),
  };
  const enqueuing = {
    store,
    routes: laneRoutes,
    refreshRoutes: () => follower.refresh(),
    telemetry,
    now: () => clock.now(),
    random,
  };
  const enqueuer = new Enqueuer(enqueuing);
  const server = new DispatchServer({
    context: {
      table,
      telemetry,
      tracer,
      waitingRoom,
      monotonic: () => clock.monotonic(),
      random,
      newJobId,
      timeoutMs: config.dispatch.timeout,
      idleBodyMs: config.dispatch.idle_body_timeout,
      bodyBytesMax: config.dispatch.body_bytes_max,
      via: viaOf(id),
      onBug: (error) => log.error({ err: error }, 'a dispatch failed in the proxy itself'),
    },
    enqueuer,
    laneBodyBytesMax: config.lanes.body_bytes_max,
    maxInFlight: config.max_in_flight,
    maxConnections: config.max_connections,
    tls: dispatchTls,
  });
  const metrics = createProxyMetrics({
    telemetry,
    table,
    follower,
    server,
    waitingRoom,
    ramps,
    version: options.version,
    byTenant: config.metrics.tenant_label,
  });
  const laneTelemetry = new LaneTelemetry();
  registerLaneMetrics(metrics, laneTelemetry);
  const admin = createAdaptorServer({
    fetch: createAdminApp({ proxyId: id, table, follower, server, waitingRoom, clock, metrics }).fetch,
    createServer: ((serverOptions: ServerOptions, onRequest: RequestListener) =>
      createWebServer(serverOptions, adminTls, onRequest)) as typeof createServer,
  }) as Server;

  // Released in the reverse order: first the dispatches finish, last the admin listener goes.
  await using opened = new AsyncDisposableStack();
  const adminAddress = await listen(admin, {
    ...config.admin,
    variables: 'LANEWISE_ADMIN_HOST and LANEWISE_ADMIN_PORT',
  });
  opened.defer(() => closeServer(admin));
  opened.defer(() => endpoints.destroy());
  opened.defer(() => ejections.close());
  opened.defer(() => ramps.close());
  const sender = new TelemetrySender({ telemetry, store, log });
  opened.defer(() => sender.stop());
  const watch = new WorkerWatch({
    endpoints,
    store,
    clock,
    log,
    random,
    workerTimeoutMs: config.worker_timeout,
    guard,
  });
  opened.defer(() => watch.stop());
  const probes = new HealthProbes({
    endpoints,
    clock,
    random,
    intervalMs: config.health_check.interval,
    timeoutMs: config.health_check.timeout,
  });
  opened.defer(() => probes.stop());
  // Routes first: a dispatch that came before them would find nobody home.
  opened.defer(() => follower.stop());
  await follower.start();
  ramps.allowNew();
  const dispatchAddress = await server.listen({
    host: config.proxy.host,
    port: config.proxy.port,
    reusePort: config.proxy.reuse_port,
  });

  if (config.lanes.consume) {
    lanes = startLaneConsumption({
      proxyId: id,
      ...(options.consumeFor !== undefined && { consumeFor: options.consumeFor }),
      config,
      store,
      table,
      telemetry,
      laneTelemetry,
      tracer,
      clock,
      log,
      random,
    });
  }

  const { intake } = store;
  const routing = intake && startIntakeRouting({ ...enqueuing, config, intake, router: id, newJobId, log });

  const resources = opened.move();
  return {
    id,
    dispatchAddress,
    adminAddress,
    dispatchUrl: urlOf(dispatchAddress, dispatchTls === undefined ? 'http' : 'https'),
    adminUrl: urlOf(adminAddress, adminTls === undefined ? 'http' : 'https'),
    table,
    metrics,
    async close(drainTimeoutMs) {
      await Promise.all([
        server.drain(drainTimeoutMs, config.shutdown_idle_grace),
        lanes?.close(drainTimeoutMs),
        routing?.close(),
      ]);
      await resources.disposeAsync();
    },
  };
}

function ejectionPolicy({ ejection }: Config): EjectionPolicy {
  return {
    failures: ejection.failures,
    time: ejection.time,
    timeMax: Math.max(ejection.time, ejection.time_max),
    shareMax: ejection.max_percent / 100,
  };
}

function policyOf(config: Config, queue: string): QueuePolicy {
  const settings = Object.hasOwn(config.queues, queue) ? config.queues[queue] : undefined;
  return {
    strategy: settings?.routing_strategy,
    strategyDefault: config.default_routing_strategy,
    laneOverride: settings?.allow_lane_override ?? false,
    boundedLoad: settings?.bounded_load ?? BOUNDED_LOAD_DEFAULT,
  };
}
