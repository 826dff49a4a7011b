import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';
import { DEPLOYMENT_STATUSES } from '../../src/core/deployment.ts';
import { IDENTIFIER, QUEUE_NAME } from '../../src/core/names.ts';
import { needs } from '../auth.ts';
import type { DeploymentService } from '../deployments.ts';
import type { ControlEnv } from '../env.ts';
import type { Observer } from '../observations.ts';
import { jsonBody } from '../http/body.ts';
import { etagOf, ifMatch } from '../http/preconditions.ts';
import { knownFields } from '../http/problems.ts';
import { body, COMMON_ERRORS, errorAnswers, json, POST_ERRORS, SECURITY } from './answers.ts';
import { createRequestSchema, toDeploymentRequest, type CreateContext } from './create-request.ts';
import {
  DEPLOYMENT_EXAMPLE,
  deploymentSchema,
  EVENT_EXAMPLE,
  EXAMPLE_ID,
  eventSchema,
  routedDeploymentSchema,
  toDeploymentJson,
  toEventJson,
  toRoutingJson,
} from './deployment-json.ts';
import { named, oneOf } from './fields.ts';
import { healthStatusSchema, METRICS_EXAMPLE, metricsSchema, toMetricsJson } from './observation-json.ts';
import { isPaged, pageOf, pageQuery, pageRange, paginate, paginationOf } from './pagination.ts';

/** Deployments: create, list, get, delete, events. What moves them is in `deployment-action-routes.ts`. */

const tags = ['Deployments'];

export const idParams = z.object({
  id: z.string().openapi({ param: { name: 'id', in: 'path' }, example: EXAMPLE_ID }),
});

const list = createRoute({
  method: 'get',
  path: '/deployments',
  operationId: 'listDeployments',
  tags,
  summary: 'List deployments, newest first',
  security: SECURITY,
  middleware: [needs('read')],
  request: {
    query: knownFields(
      {
        status: oneOf(DEPLOYMENT_STATUSES).optional(),
        queue_name: named(QUEUE_NAME).optional(),
        tenant_id: named(IDENTIFIER).optional(),
        ...pageQuery,
      },
      'parameter',
    ),
  },
  responses: {
    200: json(
      'All of them, or one page where `page` or `page_size` is given.',
      z.union([
        z.object({ deployments: z.array(deploymentSchema), count: z.int() }),
        pageOf(deploymentSchema),
      ]),
      { deployments: [DEPLOYMENT_EXAMPLE], count: 1 },
    ),
    ...errorAnswers('VALIDATION_FAILED', ...COMMON_ERRORS),
  },
});

const detailedDeploymentSchema = routedDeploymentSchema
  .extend({ metrics: metricsSchema, health: healthStatusSchema })
  .openapi('DetailedDeployment');

const get = createRoute({
  method: 'get',
  path: '/deployments/{id}',
  operationId: 'getDeployment',
  tags,
  summary: 'A deployment, how it is doing, and how far its routing has come',
  security: SECURITY,
  middleware: [needs('read')],
  request: { params: idParams },
  responses: {
    200: json('The deployment.', detailedDeploymentSchema, {
      ...DEPLOYMENT_EXAMPLE,
      metrics: METRICS_EXAMPLE,
      health: 'healthy' as const,
      routing: { revision: 42, proxies: 3, applied: 3 },
    }),
    ...errorAnswers('DEPLOYMENT_NOT_FOUND', ...COMMON_ERRORS),
  },
});

const remove = createRoute({
  method: 'delete',
  path: '/deployments/{id}',
  operationId: 'deleteDeployment',
  tags,
  summary: 'Delete a deployment that has ended, with its events',
  security: SECURITY,
  middleware: [needs('operate')],
  request: { params: idParams },
  responses: {
    204: { description: 'It is gone. The routing stays as it left it.' },
    ...errorAnswers(
      'VALIDATION_FAILED',
      'DEPLOYMENT_NOT_FOUND',
      'DEPLOYMENT_ACTIVE',
      'PRECONDITION_FAILED',
      ...COMMON_ERRORS,
    ),
  },
});

const events = createRoute({
  method: 'get',
  path: '/deployments/{id}/events',
  operationId: 'listDeploymentEvents',
  tags,
  summary: 'What happened to a deployment, newest first',
  description:
    'A request that upgrades to a WebSocket gets the stream of events instead of the list, from `?since=<id>` on ' +
    '(instead of the parameters below), and may be refused with `CONNECTION_LIMIT`.',
  security: SECURITY,
  middleware: [needs('read')],
  request: { params: idParams, query: knownFields(pageQuery, 'parameter') },
  responses: {
    200: json(
      'All events, or one page where `page` or `page_size` is given.',
      z.union([z.object({ events: z.array(eventSchema), count: z.int() }), pageOf(eventSchema)]),
      { events: [EVENT_EXAMPLE], count: 1 },
    ),
    ...errorAnswers('VALIDATION_FAILED', 'DEPLOYMENT_NOT_FOUND', 'CONNECTION_LIMIT', ...COMMON_ERRORS),
  },
});

function createDeployment(context: CreateContext) {
  return createRoute({
    method: 'post',
    path: '/deployments',
    operationId: 'createDeployment',
    tags,
    summary: 'Begin a deployment',
    description:
      'A queue (and tenant) has one at a time. What the body leaves out comes from its `profile`, and what that leaves ' +
      'out from `default`.',
    security: SECURITY,
    middleware: [needs('operate'), jsonBody],
    request: {
      body: body(createRequestSchema(context), {
        queue_name: 'payment-processing',
        tenant_id: 'acme-corp',
        stable_version: 'v1.2.0',
        canary_version: 'v1.3.0',
        routing_strategy: 'split_queue',
        sticky_routing: true,
        auto_promotion: false,
        max_duration: '2h',
        min_duration: '5m',
        metrics_window: '5m',
        created_by: 'ops-team@acme.com',
        profile: 'conservative',
      }),
    },
    responses: {
      201: json('It is active, at 0 % unless `initial_percentage` says otherwise.', routedDeploymentSchema, {
        ...DEPLOYMENT_EXAMPLE,
        current_percent: 0,
        target_percent: 0,
        routing: { revision: 42, proxies: 3, applied: 3 },
      }),
      ...errorAnswers('DEPLOYMENT_EXISTS', 'CONCURRENCY_LIMIT', ...POST_ERRORS, ...COMMON_ERRORS),
    },
  });
}

export function addDeploymentRoutes(
  app: OpenAPIHono<ControlEnv>,
  service: DeploymentService,
  observer: Observer,
  context: CreateContext,
): void {
  app.openapi(list, async (c) => {
    const query = c.req.valid('query');
    const by = c.get('credential');
    const filter = {
      ...(query.status !== undefined && { status: query.status }),
      ...(query.queue_name !== undefined && { queue: query.queue_name }),
      ...(query.tenant_id !== undefined && { tenant: query.tenant_id }),
    };
    if (isPaged(query)) {
      const { total, deployments } = await service.page(filter, pageRange(query), by);
      const pagination = paginationOf(query, total);
      return c.json({ data: deployments.map(toDeploymentJson), pagination }, 200);
    }
    const found = await service.list(filter, by);
    return c.json({ deployments: found.map(toDeploymentJson), count: found.length }, 200);
  });

  app.openapi(createDeployment(context), async (c) => {
    const input = c.req.valid('json');
    const by = c.get('credential');
    const { request, config } = toDeploymentRequest(input, by, context);
    const { deployment, routing } = await service.create(request, config, by);
    c.header('ETag', etagOf(deployment));
    return c.json({ ...toDeploymentJson(deployment), routing: toRoutingJson(routing) }, 201);
  });

  app.openapi(get, async (c) => {
    const deployment = await service.get(c.req.valid('param').id, c.get('credential'));
    c.header('ETag', etagOf(deployment));
    const [observation, routing] = await Promise.all([
      observer.observe(deployment),
      service.routing(deployment),
    ]);
    const detailed = {
      ...toDeploymentJson(deployment),
      metrics: toMetricsJson(deployment, observation),
      health: observation.health.overallStatus,
      routing: toRoutingJson(routing),
    };
    return c.json(detailed, 200);
  });

  app.openapi(remove, async (c) => {
    await service.remove(c.req.valid('param').id, c.get('credential'), { check: ifMatch(c) });
    return c.body(null, 204);
  });

  app.openapi(events, async (c) => {
    const found = await service.events(c.req.valid('param').id, c.get('credential'));
    const page = paginate(found, c.req.valid('query'));
    if (page !== undefined) return c.json({ ...page, data: page.data.map(toEventJson) }, 200);
    return c.json({ events: found.map(toEventJson), count: found.length }, 200);
  });
}
