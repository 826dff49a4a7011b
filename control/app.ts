import { OpenAPIHono } from '@hono/zod-openapi';
import { Registry } from 'prom-client';
import { addConfigRoutes } from './api/config-routes.ts';
import { addCredentialRoutes } from './api/credential-routes.ts';
import { addDeploymentActionRoutes } from './api/deployment-action-routes.ts';
import { addDeploymentRoutes } from './api/deployment-routes.ts';
import { addDocsPage } from './api/docs-page.ts';
import { addOpenApi } from './api/openapi.ts';
import { addHistoryRoutes } from './api/history-routes.ts';
import { addObservationRoutes } from './api/observation-routes.ts';
import { addOperationsRoutes } from './api/operations-routes.ts';
import { addQueueRoutes } from './api/queue-routes.ts';
import { addWorkerRoutes } from './api/worker-routes.ts';
import { admit } from './admission.ts';
import { authenticate, needs } from './auth.ts';
import { createBudget } from './budget.ts';
import { addDashboard } from './dashboard-page.ts';
import { createDeploymentService, type DeploymentService } from './deployments.ts';
import type { ControlDeps } from './deps.ts';
import type { ControlEnv } from './env.ts';
import { createEventStreams } from './event-stream/event-streams.ts';
import { addEventStream, EVENTS_PATH } from './event-stream/route.ts';
import { eventStreamSettings } from './event-stream/settings.ts';
import { tokenFromProtocol } from './event-stream/subprotocols.ts';
import { browserHeaders, notStored } from './http/browser-headers.ts';
import { allowOrigins } from './http/cors.ts';
import { createErrorHandler } from './http/errors.ts';
import { idempotency } from './http/idempotency.ts';
import { detailsOf, requestError } from './http/problems.ts';
import { requestId } from './http/request-id.ts';
import { answerUnrouted } from './http/unrouted.ts';
import { createHistory } from './history.ts';
import { createDrain, type Drain } from './lanes/drain.ts';
import { createQueueCatalog, type QueueCatalog } from './lanes/queue-catalog.ts';
import { createQueueService } from './lanes/queues.ts';
import { createControlMetrics, type ControlMetrics } from './prometheus.ts';
import { createObserver } from './observations.ts';
import { createPropagationWatch } from './propagation.ts';
import { systemResolveHost } from '../src/runtime/addresses/resolve-host.ts';
import { createWorkerUrlCheck } from './worker-url.ts';
import { createWorkerService } from './workers.ts';

export const BASE_PATH = '/api/v1/canary';

export type ControlApp = OpenAPIHono<ControlEnv>;

/**
 * The control plane as a value: `app.request()` answers without a socket, `startControlServer` puts it on one. What
 * runs by itself (the judge, the webhooks) works through the same services.
 */
export interface ControlPlane {
  readonly app: ControlApp;
  readonly deployments: DeploymentService;
  readonly metrics: ControlMetrics;
  readonly catalog: QueueCatalog;
  readonly drain: Drain;
}

/** @throws Error if `workerUrlAllow` holds something that is no range */
export function createControlPlane(deps: ControlDeps): ControlPlane {
  const { store, clock, log } = deps;
  const app: ControlApp = new OpenAPIHono<ControlEnv>({
    // A request that its schema refuses leaves as one error with all of its problems.
    defaultHook: ({ target, ...result }) => {
      if (!result.success) {
        throw requestError(detailsOf(result.error.issues, target === 'json' ? 'body' : target));
      }
    },
  });
  app.onError(createErrorHandler(log));
  app.notFound((c) => answerUnrouted(app, c));
  app.use('*', requestId);
  app.use('*', browserHeaders);
  if (deps.corsOrigins !== undefined && deps.corsOrigins.length > 0)
    app.use('*', allowOrigins(deps.corsOrigins));

  const metrics = createControlMetrics(store, log, deps.version, deps.registry ?? new Registry());
  const queues = deps.queues ?? {};
  const strategyDefault = deps.defaultStrategy ?? 'split_queue';
  const catalog = createQueueCatalog({ store, queues, strategyDefault });
  const drain = createDrain({ store, catalog, clock, log });
  const deployments = createDeploymentService({
    store,
    clock,
    log,
    watch: createPropagationWatch(store, log),
    maxActiveDeployments: deps.maxActiveDeployments,
    propagationWaitMs: deps.propagationWaitMs,
    webhooks: deps.webhooks ?? [],
    drain,
    onChange: (change) => metrics.count(change),
  });
  const workers = createWorkerService({
    store,
    clock,
    log,
    checkUrl: createWorkerUrlCheck(deps.workerUrlAllow, deps.resolveHost ?? systemResolveHost),
  });

  const authenticated = authenticate(deps.credentials);
  if (deps.metricsPublic !== true) app.use('/metrics', authenticated, needs('read'));
  addOperationsRoutes(app, store, metrics.registry);

  const api: ControlApp = new OpenAPIHono<ControlEnv>();
  api.use('*', notStored);
  api.use(EVENTS_PATH, tokenFromProtocol);
  const { rateLimit } = deps;
  const isLimited = rateLimit !== undefined && rateLimit.perMinute > 0;
  api.use(
    '*',
    isLimited ? admit(deps.credentials, createBudget(store, clock, rateLimit), clock) : authenticated,
  );
  api.use('*', idempotency(store, log));
  const observer = createObserver({ store, clock, alpha: deps.judgeAlpha, catalog, queues });
  const streams = createEventStreams({
    store,
    clock,
    log,
    ...eventStreamSettings(deps.eventStream, observer),
  });
  addEventStream(api, deployments, streams, deps.credentials, log);
  addDeploymentRoutes(api, deployments, observer, deps);
  addObservationRoutes(api, deployments, observer);
  addHistoryRoutes(api, deployments, createHistory(store, clock));
  addDeploymentActionRoutes(api, deployments);
  addWorkerRoutes(api, workers);
  addQueueRoutes(api, createQueueService({ store, catalog, log }));
  addConfigRoutes(api, deps.profiles);
  addCredentialRoutes(api);
  app.route(BASE_PATH, api);
  addOpenApi(app, deps.version, BASE_PATH);
  addDocsPage(app);
  addDashboard(app, deps.dashboard);
  return { app, deployments, metrics, catalog, drain };
}
