import { createAdaptorServer } from '@hono/node-server';
import type { AddressInfo } from 'node:net';
import { randomUUID } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { Config } from '../config/load.ts';
import { RoutingTable, type QueuePolicy } from '../src/core/routing-table.ts';
import { BOUNDED_LOAD_DEFAULT } from '../src/core/pool.ts';
import type { Clock } from '../src/core/clock.ts';
import { closeServer, listen } from '../src/runtime/listen.ts';
import type { Logger } from '../src/runtime/log.ts';
import type { Store } from '../src/runtime/store/store.ts';
import { createAdminApp } from './admin-app.ts';
import { DispatchServer } from './dispatch-server.ts';
import { Endpoints, type WorkerEndpoint } from './endpoint.ts';
import { createLastGoodRoutes } from './last-good-routes.ts';
import { createProxyMetrics } from './metrics.ts';
import { RouteFollower, type FollowerTiming } from './route-follower.ts';
import { DispatchTelemetry } from './telemetry.ts';
import { TelemetrySender } from './telemetry-sender.ts';
import { UndiciForwarder } from './undici-forwarder.ts';
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
}

export interface Proxy {
  readonly id: string;
  readonly dispatchAddress: AddressInfo;
  readonly adminAddress: AddressInfo;
  readonly table: RoutingTable<WorkerEndpoint>;
  /** Running dispatches finish, at most until the deadline; then everything is let go of. */
  close(drainTimeoutMs: number): Promise<void>;
}

/** @throws ListenError */
export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const { config, store, clock, log, random } = options;
  const id = `proxy_${randomUUID()}`;

  const endpoints = new Endpoints(
    (url) =>
      new UndiciForwarder(url, {
        connectTimeout: config.dispatch.connect_timeout,
        responseHeaderTimeout: config.dispatch.response_header_timeout,
        idleBodyTimeout: config.dispatch.idle_body_timeout,
      }),
    (error) => log.warn({ err: error }, "a former worker's connections did not close"),
  );
  const table = new RoutingTable<WorkerEndpoint>({
    endpointOf: (worker) => endpoints.of(worker),
    policyOf: (queue) => policyOf(config, queue),
  });
  const follower = new RouteFollower({
    proxyId: id,
    store,
    table,
    clock,
    log,
    random,
    onChanged: () => endpoints.keepOnly(table.workers),
    // The embedded store is on this disk already.
    ...(store.kind !== 'embedded' && {
      lastGood: createLastGoodRoutes(config.data_dir, (reason) =>
        log.warn({ reason }, 'the last good routes cannot be read; starting without'),
      ),
    }),
    ...(options.timing !== undefined && { timing: options.timing }),
  });
  const telemetry = new DispatchTelemetry();
  const server = new DispatchServer({
    context: {
      table,
      telemetry,
      monotonic: () => clock.monotonic(),
      random,
      newJobId: uuidv7,
      timeoutMs: config.dispatch.timeout,
      bodyBytesMax: config.dispatch.body_bytes_max,
      onBug: (error) => log.error({ err: error }, 'a dispatch failed in the proxy itself'),
    },
    maxInFlight: config.max_in_flight,
  });
  const metrics = createProxyMetrics({ telemetry, table, follower, version: options.version });
  const admin = createAdaptorServer({
    fetch: createAdminApp({ proxyId: id, table, follower, server, metrics }).fetch,
  });

  // Released in the reverse order: first the dispatches finish, last the admin listener goes.
  await using opened = new AsyncDisposableStack();
  const adminAddress = await listen(admin, {
    ...config.admin,
    variables: 'LANEWISE_ADMIN_HOST and LANEWISE_ADMIN_PORT',
  });
  opened.defer(() => closeServer(admin));
  opened.defer(() => endpoints.destroy());
  const sender = new TelemetrySender({ telemetry, store, log });
  opened.defer(() => sender.stop());
  const watch = new WorkerWatch({
    endpoints,
    store,
    clock,
    log,
    random,
    workerTimeoutMs: config.worker_timeout,
  });
  opened.defer(() => watch.stop());
  // Routes first: a dispatch that came before them would find nobody home.
  opened.defer(() => follower.stop());
  await follower.start();
  const dispatchAddress = await server.listen(config.proxy.host, config.proxy.port);

  const resources = opened.move();
  return {
    id,
    dispatchAddress,
    adminAddress,
    table,
    async close(drainTimeoutMs) {
      await server.drain(drainTimeoutMs);
      await resources.disposeAsync();
    },
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
