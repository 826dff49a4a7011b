import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { needs } from '../auth.ts';
import type { DeploymentService } from '../deployments.ts';
import type { ControlEnv } from '../env.ts';
import type { Observer } from '../observations.ts';
import { COMMON_ERRORS, errorAnswers, json, SECURITY } from './answers.ts';
import { idParams } from './deployment-routes.ts';
import {
  HEALTH_EXAMPLE,
  healthSchema,
  METRICS_EXAMPLE,
  metricsSchema,
  toHealthJson,
  toMetricsJson,
} from './observation-json.ts';

/** How a deployment is doing: its health by the thresholds, and the numbers of both lanes. */

const tags = ['Health and monitoring'];

const health = createRoute({
  method: 'get',
  path: '/deployments/{id}/health',
  operationId: 'getHealth',
  tags,
  summary: 'The checks of a deployment and what they add up to',
  description:
    '`healthy`: no threshold is breached. `unknown`: fewer canary jobs than the required sample, or no stable jobs to ' +
    'compare with. `warning`: a threshold is breached, but that may be chance. `failing`: it is breached and proven; ' +
    'with `threshold` analysis the breach is enough.',
  security: SECURITY,
  middleware: [needs('read')],
  request: { params: idParams },
  responses: {
    200: json(
      'Over the metrics window, but not from before the present percentage.',
      healthSchema,
      HEALTH_EXAMPLE,
    ),
    ...errorAnswers('DEPLOYMENT_NOT_FOUND', ...COMMON_ERRORS),
  },
});

const metrics = createRoute({
  method: 'get',
  path: '/deployments/{id}/metrics',
  operationId: 'getMetrics',
  tags,
  summary: 'Stable and canary side by side',
  description: 'Rates in percent, latencies in milliseconds. What nobody knows is `null`, never a made-up 0.',
  security: SECURITY,
  middleware: [needs('read')],
  request: { params: idParams },
  responses: {
    200: json('From all proxies, over the deployment’s metrics window.', metricsSchema, METRICS_EXAMPLE),
    ...errorAnswers('DEPLOYMENT_NOT_FOUND', ...COMMON_ERRORS),
  },
});

export function addObservationRoutes(
  app: OpenAPIHono<ControlEnv>,
  service: DeploymentService,
  observer: Observer,
): void {
  app.openapi(health, async (c) => {
    const deployment = await service.get(c.req.valid('param').id, c.get('credential'));
    return c.json(toHealthJson(await observer.observe(deployment)), 200);
  });

  app.openapi(metrics, async (c) => {
    const deployment = await service.get(c.req.valid('param').id, c.get('credential'));
    return c.json(toMetricsJson(deployment, await observer.observe(deployment)), 200);
  });
}
