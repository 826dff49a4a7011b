import { z } from '@hono/zod-openapi';
import { LANES } from '../../src/core/lane.ts';
import { WORKER_STATUSES, type Worker } from '../../src/core/worker.ts';
import { timestamp, toInstant } from './fields.ts';

/** Workers, as the API document writes them, and the extensions of the design. */

export const WEIGHT_DEFAULT = 1;

export const workerSchema = z
  .object({
    id: z.string(),
    version: z.string(),
    lane: z.enum(LANES).openapi({ description: 'The lane it registered with.' }),
    queues: z.array(z.string()),
    url: z.string().optional().openapi({ description: 'Where it takes jobs over HTTP.' }),
    health_path: z
      .string()
      .optional()
      .openapi({ description: 'Of the url: answers 2xx while the worker is well.' }),
    weight: z.number().optional().openapi({ description: 'Its share; present where it is not 1.' }),
    max_concurrency: z.int().optional().openapi({ description: 'Jobs at once.' }),
    last_seen: timestamp,
    status: z.enum(WORKER_STATUSES),
    metrics: z.object({
      jobs_processed: z.int(),
      jobs_succeeded: z.int(),
      jobs_failed: z.int(),
      avg_processing_time: z.number().nullable().openapi({ description: 'Milliseconds.' }),
      memory_usage_mb: z.number().nullable(),
      cpu_usage_percent: z.number().nullable(),
      last_job_at: timestamp.nullable(),
    }),
    metadata: z.record(z.string(), z.unknown()),
  })
  .openapi('Worker');

export const WORKER_EXAMPLE: z.infer<typeof workerSchema> = {
  id: 'worker-001-stable',
  version: 'v1.2.0',
  lane: 'stable',
  queues: ['payment-processing', 'order-fulfillment'],
  url: 'http://10.0.3.7:3000',
  last_seen: '2025-09-14T12:44:30Z',
  status: 'healthy',
  metrics: {
    jobs_processed: 1250,
    jobs_succeeded: 1238,
    jobs_failed: 12,
    avg_processing_time: 245.6,
    memory_usage_mb: 128.4,
    cpu_usage_percent: 45.2,
    last_job_at: '2025-09-14T12:44:15Z',
  },
  metadata: { hostname: 'worker-host-01' },
};

export function toWorkerJson(worker: Worker): z.infer<typeof workerSchema> {
  const { metrics, maxConcurrency } = worker;
  return {
    id: worker.id,
    version: worker.version,
    lane: worker.lane,
    queues: [...worker.queues],
    ...(worker.url !== undefined && { url: worker.url }),
    ...(worker.healthPath !== undefined && { health_path: worker.healthPath }),
    ...(worker.weight !== WEIGHT_DEFAULT && { weight: worker.weight }),
    ...(maxConcurrency !== undefined && { max_concurrency: maxConcurrency }),
    last_seen: toInstant(worker.lastSeen),
    status: worker.status,
    metrics: {
      jobs_processed: metrics.jobsProcessed,
      jobs_succeeded: metrics.jobsSucceeded,
      jobs_failed: metrics.jobsFailed,
      avg_processing_time: metrics.avgProcessingTime,
      memory_usage_mb: metrics.memoryUsageMb,
      cpu_usage_percent: metrics.cpuUsagePercent,
      last_job_at: metrics.lastJobAt === null ? null : toInstant(metrics.lastJobAt),
    },
    metadata: { ...worker.metadata },
  };
}
