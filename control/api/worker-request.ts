import { z } from '@hono/zod-openapi';
import { LANES } from '../../src/core/lane.ts';
import { HEALTH_PATH, IDENTIFIER, QUEUE_NAME } from '../../src/core/names.ts';
import { WORKER_STATUSES, type WorkerMetrics, type WorkerStatus } from '../../src/core/worker.ts';
import { definedOnly } from '../defined-only.ts';
import { expecting, knownFields } from '../http/problems.ts';
import type { WorkerRequest } from '../../src/core/worker-changes.ts';
import { between, instant, integerBetween, metadata, named, oneOf, toMilliseconds } from './fields.ts';
import { WEIGHT_DEFAULT } from './worker-json.ts';

/** The bodies of the workers' endpoints. */

const QUEUES_MAX = 1000;
const queuesError = expecting(`a list of 1 to ${QUEUES_MAX} queue names`);

export const registerSchema = knownFields({
  id: named(IDENTIFIER).refine((id) => id !== '.' && id !== '..', {
    error: 'must not be . or .., which no URL can carry',
  }),
  version: named(IDENTIFIER),
  lane: oneOf(LANES).optional().openapi({ description: '`stable` if left out.' }),
  queues: z
    .array(named(QUEUE_NAME), { error: queuesError })
    .min(1, { error: queuesError })
    .max(QUEUES_MAX, { error: queuesError }),
  url: z
    .string({ error: expecting('an http:// or https:// URL') })
    .optional()
    .openapi({
      description:
        'Where it takes jobs over HTTP. Without one it gets none from a proxy. It must point into `worker_url_allow`.',
    }),
  health_path: named(HEALTH_PATH).optional().openapi({
    description:
      'Appended to `url`; proxies ask it every few seconds, and send a worker whose answers are not 2xx no jobs while its lane can do without it.',
  }),
  // 32 workers' share for one: beyond it, run more workers.
  weight: between(0.5, 32).optional().openapi({ description: 'Its share; 1 if left out.' }),
  max_concurrency: integerBetween(1, 100_000)
    .optional()
    .openapi({ description: 'Jobs at once, as seen by each proxy; no limit if left out.' }),
  metadata: metadata.optional(),
})
  .refine(({ url, health_path: path }) => path === undefined || url !== undefined, {
    path: ['health_path'],
    error: 'goes with url, which is missing',
  })
  .openapi('WorkerRequest');

export type RegisterBody = z.output<typeof registerSchema>;

export function toWorkerRequest(body: RegisterBody): WorkerRequest {
  return {
    id: body.id,
    version: body.version,
    lane: body.lane ?? 'stable',
    queues: [...new Set(body.queues)],
    ...(body.url !== undefined && { url: body.url }),
    ...(body.health_path !== undefined && { healthPath: body.health_path }),
    weight: body.weight ?? WEIGHT_DEFAULT,
    ...(body.max_concurrency !== undefined && { maxConcurrency: body.max_concurrency }),
    ...(body.metadata !== undefined && { metadata: body.metadata }),
  };
}

const count = integerBetween(0, Number.MAX_SAFE_INTEGER);
const measure = between(0, Number.MAX_SAFE_INTEGER).nullable();

export const statusSchema = knownFields({
  status: oneOf(WORKER_STATUSES),
  metrics: knownFields({
    jobs_processed: count.optional(),
    jobs_succeeded: count.optional(),
    jobs_failed: count.optional(),
    avg_processing_time: measure.optional(),
    memory_usage_mb: measure.optional(),
    cpu_usage_percent: measure.optional(),
    last_job_at: instant.nullable().optional(),
  }).optional(),
}).openapi('WorkerStatusUpdate');

export type StatusBody = z.output<typeof statusSchema>;

export function toWorkerReport({ status, metrics = {} }: StatusBody): {
  status: WorkerStatus;
  metrics: Partial<WorkerMetrics>;
} {
  const { last_job_at: lastJobAt } = metrics;
  return {
    status,
    metrics: definedOnly({
      jobsProcessed: metrics.jobs_processed,
      jobsSucceeded: metrics.jobs_succeeded,
      jobsFailed: metrics.jobs_failed,
      avgProcessingTime: metrics.avg_processing_time,
      memoryUsageMb: metrics.memory_usage_mb,
      cpuUsagePercent: metrics.cpu_usage_percent,
      lastJobAt: typeof lastJobAt === 'string' ? toMilliseconds(lastJobAt) : lastJobAt,
    }),
  };
}
