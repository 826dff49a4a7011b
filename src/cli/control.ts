import { randomUUID } from 'node:crypto';
import { Registry } from 'prom-client';
import { laneSettingsOf } from '../../config/lane-queues.ts';
import type { Config } from '../../config/load.ts';
import { profilesWith } from '../../config/own-profiles.ts';
import { createControlPlane } from '../../control/app.ts';
import { readDashboard } from '../../control/dashboard-files.ts';
import { startJudge } from '../../control/judge/judge.ts';
import { startJudgeLease } from '../../control/judge/lease.ts';
import { addJudgeMetrics } from '../../control/judge/metrics.ts';
import { startLanes } from '../../control/lanes/start.ts';
import { systemResolveHost } from '../runtime/addresses/resolve-host.ts';
import { startControlServer } from '../../control/server.ts';
import { startWorkerTimeout } from '../../control/worker-timeout.ts';
import type { StoredToken } from '../../control/token-file.ts';
import { openWebhooks } from '../../control/webhooks/open.ts';
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { Store } from '../runtime/store/store.ts';
import type { FileKeeping } from '../runtime/tls/file-keeping.ts';
import { openServerTls } from '../runtime/tls/server-tls.ts';
import { VERSION } from '../runtime/version.ts';
import { openCredentials } from './credentials.ts';

/** The control plane, put together. */

export interface RunningControl {
  readonly url: string;
  /** The token that was made because none is configured. */
  readonly generatedToken: StoredToken | undefined;
  /** What `/metrics` shows. */
  readonly metrics: Registry;
  close(): Promise<void>;
}

/** How long an answer that changed the routing waits for the proxies. */
const PROPAGATION_WAIT_MS = 1000;
/** For API calls that run when the process is told to stop; they take milliseconds. */
const CLOSE_GRACE_MS = 5000;

/** @param files left out: what they hold stays as it is at the start */
export async function startControl(
  config: Config,
  store: Store,
  clock: Clock,
  log: Logger,
  files?: FileKeeping,
): Promise<RunningControl> {
  const tls = openServerTls('control.tls', config.control.tls, files);
  const webhooks = await openWebhooks(config, systemResolveHost, log);
  const { credentials, generatedToken } = await openCredentials(config, files?.watch);
  const registry = new Registry();
  const { app, deployments, catalog, drain } = createControlPlane({
    store,
    clock,
    log,
    credentials,
    maxActiveDeployments: config.max_active_deployments,
    eventStream: { connectionsMax: config.max_event_streams },
    rateLimit: { perMinute: config.rate_limit.per_minute, burst: config.rate_limit.burst },
    corsOrigins: config.control.cors_origins,
    propagationWaitMs: PROPAGATION_WAIT_MS,
    workerUrlAllow: config.worker_url_allow,
    webhooks: webhooks.webhooks,
    strategyOf: (queue) =>
      Object.hasOwn(config.queues, queue) ? config.queues[queue]?.routing_strategy : undefined,
    queues: config.queues,
    defaultStrategy: config.default_routing_strategy,
    profiles: profilesWith(config.profiles),
    judgeAlpha: config.judge.alpha,
    version: VERSION,
    registry,
    metricsPublic: config.control.metrics_public,
    dashboard: await readDashboard(),
  });
  const server = await startControlServer({
    app,
    host: config.control.host,
    port: config.control.port,
    tls,
    idleGraceMs: config.shutdown_idle_grace,
  });
  const workerTimeout = startWorkerTimeout({
    store,
    clock,
    log,
    workerTimeoutMs: config.worker_timeout,
  });
  const lease = startJudgeLease({ store, clock, log, holder: randomUUID() });
  const judge = startJudge({
    store,
    deployments,
    lease,
    clock,
    log,
    random: Math.random,
    intervalMs: config.judge.interval,
    alpha: config.judge.alpha,
    webhooks: webhooks.webhooks,
  });
  addJudgeMetrics(registry, judge);
  const lanes = startLanes({
    store,
    catalog,
    drain,
    deployments,
    lease,
    clock,
    log,
    registry,
    strandedAfterMs: (queue) => laneSettingsOf(config.queues, queue).stranded_after,
  });
  const deliveries = webhooks.start({ outbox: store, clock, registry, version: VERSION });
  return {
    url: server.url,
    generatedToken,
    metrics: registry,
    async close() {
      await judge.stop();
      await lanes.stop();
      await lease.stop();
      await workerTimeout.stop();
      await deliveries.stop();
      await server.close(CLOSE_GRACE_MS);
    },
  };
}
