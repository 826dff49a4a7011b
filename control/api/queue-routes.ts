import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';
import { LANES } from '../../src/core/lane.ts';
import { QUEUE_NAME } from '../../src/core/names.ts';
import { needs, needsNoTenantScope } from '../auth.ts';
import type { ControlEnv } from '../env.ts';
import { jsonBody } from '../http/body.ts';
import { expecting, knownFields } from '../http/problems.ts';
import type { DeadIds, QueueService } from '../lanes/queues.ts';
import { body, BODY_ERRORS, COMMON_ERRORS, errorAnswers, json, POST_ERRORS, SECURITY } from './answers.ts';
import { named, oneOf, text } from './fields.ts';
import { pageOf, pageQuery, pageRange, paginate, paginationOf } from './pagination.ts';
import {
  DEAD_JOB_EXAMPLE,
  deadJobSchema,
  QUEUE_EXAMPLE,
  queueSchema,
  toDeadJobJson,
  toQueueJson,
} from './queue-json.ts';

/** Queues: what waits in their lanes, and their dead jobs. */

const tags = ['Queues'];

const queueParams = knownFields(
  {
    queue: named(QUEUE_NAME).openapi({
      param: { name: 'queue', in: 'path' },
      example: 'payment-processing',
    }),
  },
  'parameter',
);

/** In one call; more go in several, or with `all`. */
const IDS_MAX = 1000;

const selection = {
  ids: z
    .array(text(128), { error: expecting(`a list of 1 to ${IDS_MAX} ids`) })
    .min(1, { error: `must have 1 to ${IDS_MAX} ids` })
    .max(IDS_MAX, { error: `must have 1 to ${IDS_MAX} ids` })
    .optional()
    .openapi({ description: 'As in the list of dead jobs; those that are gone are passed over.' }),
  all: z.literal(true, { error: expecting('true, or left out') }).optional(),
};

interface Selection {
  readonly ids?: readonly string[] | undefined;
  readonly all?: true | undefined;
}

const ONE_OF_BOTH = { error: 'must be given, or all: true, and not both', path: ['ids'] };

function isOneOfBoth({ ids, all }: Selection): boolean {
  return (ids === undefined) !== (all === undefined);
}

const countSchema = z.object({
  success: z.literal(true),
  count: z.int().openapi({ description: 'Jobs that were there and are there no longer.' }),
});
const COUNT_EXAMPLE = { success: true as const, count: 2 };

const list = createRoute({
  method: 'get',
  path: '/queues',
  operationId: 'listQueues',
  tags,
  summary: 'List queues, with what waits in their lanes',
  description: 'Every queue that has a route, a worker, or settings of its own.',
  security: SECURITY,
  middleware: [needs('read')],
  request: { query: knownFields(pageQuery, 'parameter') },
  responses: {
    200: json(
      'All of them, or one page where `page` or `page_size` is given.',
      z.union([z.object({ queues: z.array(queueSchema), count: z.int() }), pageOf(queueSchema)]),
      { queues: [QUEUE_EXAMPLE], count: 1 },
    ),
    ...errorAnswers('VALIDATION_FAILED', ...COMMON_ERRORS),
  },
});

const listDead = createRoute({
  method: 'get',
  path: '/queues/{queue}/dead',
  operationId: 'listDeadJobs',
  tags,
  summary: 'The dead jobs of a queue, latest first',
  description: 'Always in pages. Not for tokens of a tenant: the jobs are of all tenants.',
  security: SECURITY,
  middleware: [needs('read'), needsNoTenantScope],
  request: { params: queueParams, query: knownFields(pageQuery, 'parameter') },
  responses: {
    200: json('One page.', pageOf(deadJobSchema), {
      data: [DEAD_JOB_EXAMPLE],
      pagination: {
        page: 1,
        page_size: 10,
        total_pages: 1,
        total_items: 1,
        has_next: false,
        has_prev: false,
      },
    }),
    ...errorAnswers('VALIDATION_FAILED', 'QUEUE_UNAVAILABLE', ...COMMON_ERRORS),
  },
});

const requeueDead = createRoute({
  method: 'post',
  path: '/queues/{queue}/dead/requeue',
  operationId: 'requeueDeadJobs',
  tags,
  summary: 'Let dead jobs begin anew',
  description:
    'They go to the end of a lane with attempt 1 and keep their history. `canary` is taken while the queue has an ' +
    'open deployment.',
  security: SECURITY,
  middleware: [needs('operate'), needsNoTenantScope, jsonBody],
  request: {
    params: queueParams,
    body: body(
      knownFields({
        ...selection,
        lane: oneOf(LANES).optional().openapi({ description: '`stable` if left out.' }),
      })
        .refine(isOneOfBoth, ONE_OF_BOTH)
        .openapi('RequeueRequest'),
      { ids: ['0000000000000042'], lane: 'stable' },
    ),
  },
  responses: {
    200: json('They wait again.', countSchema.openapi('Requeued'), COUNT_EXAMPLE),
    ...errorAnswers('QUEUE_UNAVAILABLE', ...POST_ERRORS, ...COMMON_ERRORS),
  },
});

const dropDead = createRoute({
  method: 'delete',
  path: '/queues/{queue}/dead',
  operationId: 'dropDeadJobs',
  tags,
  summary: 'Drop dead jobs for good',
  security: SECURITY,
  middleware: [needs('operate'), needsNoTenantScope, jsonBody],
  request: {
    params: queueParams,
    body: body(knownFields(selection).refine(isOneOfBoth, ONE_OF_BOTH).openapi('DropRequest'), {
      ids: ['0000000000000042'],
    }),
  },
  responses: {
    200: json('They are gone.', countSchema.openapi('Dropped'), COUNT_EXAMPLE),
    ...errorAnswers('QUEUE_UNAVAILABLE', ...BODY_ERRORS, ...COMMON_ERRORS),
  },
});

export function addQueueRoutes(app: OpenAPIHono<ControlEnv>, service: QueueService): void {
  app.openapi(list, async (c) => {
    const found = await service.list();
    const page = paginate(found, c.req.valid('query'));
    if (page !== undefined) return c.json({ ...page, data: page.data.map(toQueueJson) }, 200);
    return c.json({ queues: found.map(toQueueJson), count: found.length }, 200);
  });

  app.openapi(listDead, async (c) => {
    const query = c.req.valid('query');
    const { total, jobs } = await service.listDead(c.req.valid('param').queue, pageRange(query));
    return c.json({ data: jobs.map(toDeadJobJson), pagination: paginationOf(query, total) }, 200);
  });

  app.openapi(requeueDead, async (c) => {
    const { lane = 'stable', ...selected } = c.req.valid('json');
    const { queue } = c.req.valid('param');
    const { count } = await service.requeueDead(queue, idsOf(selected), lane, c.get('credential'));
    return c.json({ success: true as const, count }, 200);
  });

  app.openapi(dropDead, async (c) => {
    const ids = idsOf(c.req.valid('json'));
    const { count } = await service.dropDead(c.req.valid('param').queue, ids, c.get('credential'));
    return c.json({ success: true as const, count }, 200);
  });
}

function idsOf({ ids }: Selection): DeadIds {
  return ids ?? 'all';
}
