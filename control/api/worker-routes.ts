import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';
import { LANES } from '../../src/core/lane.ts';
import { IDENTIFIER, QUEUE_NAME } from '../../src/core/names.ts';
import { WORKER_STATUSES } from '../../src/core/worker.ts';
import { needs, needsNoTenantScope } from '../auth.ts';
import { definedOnly } from '../defined-only.ts';
import type { ControlEnv } from '../env.ts';
import { jsonBody } from '../http/body.ts';
import { knownFields } from '../http/problems.ts';
import type { WorkerService } from '../workers.ts';
import { body, BODY_ERRORS, COMMON_ERRORS, errorAnswers, json, POST_ERRORS, SECURITY } from './answers.ts';
import { named, oneOf, timestamp, toInstant } from './fields.ts';
import { isPaged, pageOf, pageQuery, pageRange, paginationOf } from './pagination.ts';
import { toWorkerJson, WORKER_EXAMPLE, workerSchema } from './worker-json.ts';
import { registerSchema, statusSchema, toWorkerReport, toWorkerRequest } from './worker-request.ts';

/** The registry of workers. */

const tags = ['Workers'];

const workerParams = z.object({
  id: z.string().openapi({ param: { name: 'id', in: 'path' }, example: 'worker-003-canary' }),
});

const list = createRoute({
  method: 'get',
  path: '/workers',
  operationId: 'listWorkers',
  tags,
  summary: 'List workers',
  security: SECURITY,
  middleware: [needs('read')],
  request: {
    query: knownFields(
      {
        lane: oneOf(LANES).optional(),
        queue: named(QUEUE_NAME).optional(),
        status: oneOf(WORKER_STATUSES).optional(),
        version: named(IDENTIFIER).optional(),
        ...pageQuery,
      },
      'parameter',
    ),
  },
  responses: {
    200: json(
      'All of them, or one page where `page` or `page_size` is given.',
      z.union([z.object({ workers: z.array(workerSchema), count: z.int() }), pageOf(workerSchema)]),
      { workers: [WORKER_EXAMPLE], count: 1 },
    ),
    ...errorAnswers('VALIDATION_FAILED', ...COMMON_ERRORS),
  },
});

const register = createRoute({
  method: 'post',
  path: '/workers',
  operationId: 'registerWorker',
  tags,
  summary: 'Register a worker; the same id again replaces it',
  description:
    'The same version again keeps its counts. `lane` counts only while no deployment has named the version: from ' +
    'then on the deployment says which lane a version is.',
  security: SECURITY,
  middleware: [needs('report'), needsNoTenantScope, jsonBody],
  request: {
    body: body(registerSchema, {
      id: 'worker-003-canary',
      version: 'v1.3.0',
      lane: 'canary',
      queues: ['payment-processing'],
      metadata: { hostname: 'worker-host-03', region: 'us-west-2', instance_type: 'm5.large' },
    }),
  },
  responses: {
    200: json('It was registered before and is replaced.', workerSchema, WORKER_EXAMPLE),
    201: json('It is registered.', workerSchema, WORKER_EXAMPLE),
    ...errorAnswers(...POST_ERRORS, ...COMMON_ERRORS),
  },
});

const updateStatus = createRoute({
  method: 'put',
  path: '/workers/{id}/status',
  operationId: 'setWorkerStatus',
  tags,
  summary: 'Say how a worker is doing',
  description:
    'A `degraded` worker takes half of its share, an `unhealthy` or `unreachable` one nothing. A worker is seen by ' +
    'this call, by an answered dispatch, and by the proxies, which ask its `health_path`, or try a TCP connection to its `url`, when it had no ' +
    'job. One that nobody has seen for `worker_timeout` is `unreachable` until it is seen again. Before that, a ' +
    "dispatch that can't connect to it goes to the next one.",
  security: SECURITY,
  middleware: [needs('report'), needsNoTenantScope, jsonBody],
  request: { params: workerParams, body: body(statusSchema, { status: 'degraded' }) },
  responses: {
    200: json(
      'Noted; the worker was seen just now.',
      z
        .object({ success: z.literal(true), status: z.enum(WORKER_STATUSES), updated_at: timestamp })
        .openapi('WorkerStatusUpdated'),
      { success: true, status: 'degraded', updated_at: '2025-09-14T12:50:00Z' },
    ),
    ...errorAnswers('WORKER_NOT_FOUND', ...BODY_ERRORS, ...COMMON_ERRORS),
  },
});

const remove = createRoute({
  method: 'delete',
  path: '/workers/{id}',
  operationId: 'removeWorker',
  tags,
  summary: 'Take a worker out of the registry',
  security: SECURITY,
  middleware: [needs('operate'), needsNoTenantScope],
  request: { params: workerParams },
  responses: {
    204: { description: 'It gets no more jobs.' },
    ...errorAnswers('WORKER_NOT_FOUND', ...COMMON_ERRORS),
  },
});

export function addWorkerRoutes(app: OpenAPIHono<ControlEnv>, service: WorkerService): void {
  app.openapi(list, async (c) => {
    const query = c.req.valid('query');
    const { page: _page, page_size: _pageSize, ...given } = query;
    const filter = definedOnly(given);
    if (isPaged(query)) {
      const { total, workers } = await service.page(filter, pageRange(query));
      return c.json({ data: workers.map(toWorkerJson), pagination: paginationOf(query, total) }, 200);
    }
    const found = await service.list(filter);
    return c.json({ workers: found.map(toWorkerJson), count: found.length }, 200);
  });

  app.openapi(register, async (c) => {
    const request = toWorkerRequest(c.req.valid('json'));
    const { worker, created } = await service.register(request, c.get('credential'));
    return c.json(toWorkerJson(worker), created ? 201 : 200);
  });

  app.openapi(updateStatus, async (c) => {
    const { status, metrics } = toWorkerReport(c.req.valid('json'));
    const { id } = c.req.valid('param');
    const worker = await service.setStatus(id, status, metrics, c.get('credential'));
    return c.json(
      { success: true as const, status: worker.status, updated_at: toInstant(worker.lastSeen) },
      200,
    );
  });

  app.openapi(remove, async (c) => {
    await service.remove(c.req.valid('param').id, c.get('credential'));
    return c.body(null, 204);
  });
}
