import { z } from '@hono/zod-openapi';
import type { Deployment } from '../../src/core/deployment.ts';
import { HEALTH_STATUSES, type HealthCheck } from '../../src/core/health.ts';
import { isProven, requiredEvidence, type Criterion, type Evidence } from '../../src/core/judge/evidence.ts';
import { evidenceOf } from '../judge/explanation.ts';
import {
  errorCount,
  errorRate,
  jobCount,
  latencyQuantile,
  successCount,
  type LaneTotals,
} from '../../src/core/lane-totals.ts';
import type { Lane } from '../../src/core/lane.ts';
import type { Worker } from '../../src/core/worker.ts';
import type { Observation } from '../observations.ts';
import { timestamp, toInstant } from './fields.ts';

/** Health and metrics, as the API document writes them. What nobody knows is null, never a made-up 0. */

const known = z.number().nullable();

export const snapshotSchema = z
  .object({
    timestamp,
    window_start: timestamp,
    window_end: timestamp,
    job_count: z.int(),
    success_count: z.int(),
    error_count: z.int(),
    error_rate: known.openapi({ description: 'Percent.' }),
    success_rate: known.openapi({ description: 'Percent.' }),
    avg_latency: known.openapi({ description: 'Milliseconds, like all latencies.' }),
    p50_latency: known,
    p95_latency: known,
    p99_latency: known,
    max_latency: known,
    jobs_per_second: known,
    avg_memory_mb: known.openapi({ description: 'Over the workers that report it.' }),
    peak_memory_mb: known,
    avg_cpu_percent: known,
    queue_depth: known.openapi({
      description:
        'Jobs in the lane that wait or are delayed, of all tenants. Null for hash_ring, which has no queue, and once ' +
        'the deployment has ended.',
    }),
    dead_letters: known.openapi({
      description: 'Dead jobs of the queue, which both lanes have in common. Null where `queue_depth` is.',
    }),
    worker_count: z.int().openapi({ description: 'Workers of the lane that are healthy or degraded.' }),
    version: z.string(),
  })
  .openapi('MetricsSnapshot');

export const metricsSchema = z
  .object({ stable: snapshotSchema, canary: snapshotSchema })
  .openapi('DeploymentMetrics');

const checkSchema = z
  .object({ name: z.string(), passing: z.boolean(), message: z.string(), timestamp })
  .openapi('HealthCheck');

export const healthStatusSchema = z.enum(HEALTH_STATUSES).openapi('HealthStatus');

const criterionSchema = z
  .object({
    evidence: z.number().openapi({
      description: 'How many times likelier the jobs are with the criterion breached than within it.',
    }),
    required: z.number().openapi({ description: 'What the evidence must reach for the breach to count.' }),
    proven: z.boolean(),
  })
  .openapi('CriterionEvidence');

const evidenceSchema = z
  .object({
    error_rate: criterionSchema,
    latency: criterionSchema,
    success_rate: criterionSchema,
    throughput: criterionSchema,
    canary_jobs: z.int().openapi({ description: 'Jobs sent to the canary at the present percentage.' }),
    stable_jobs: z.int(),
  })
  .openapi('HealthEvidence');

export const healthSchema = z
  .object({
    overall_status: healthStatusSchema,
    error_rate_check: checkSchema,
    latency_check: checkSchema,
    throughput_check: checkSchema,
    sample_size_check: checkSchema,
    duration_check: checkSchema,
    last_evaluation: timestamp,
    evidence: evidenceSchema
      .optional()
      .openapi({ description: 'Of the present percentage, once it is judged.' }),
    notes: z.array(z.string()).optional().openapi({
      description: 'What the checks do not see: jobs that wait in the canary lane and that nobody takes.',
    }),
  })
  .openapi('DeploymentHealth');

const SNAPSHOT_EXAMPLE: z.infer<typeof snapshotSchema> = {
  timestamp: '2025-09-14T12:45:00Z',
  window_start: '2025-09-14T12:40:00Z',
  window_end: '2025-09-14T12:45:00Z',
  job_count: 1250,
  success_count: 1238,
  error_count: 12,
  error_rate: 0.96,
  success_rate: 99.04,
  avg_latency: 245.6,
  p50_latency: 198.3,
  p95_latency: 456.7,
  p99_latency: 782.1,
  max_latency: 1234.5,
  jobs_per_second: 4.17,
  avg_memory_mb: 128.4,
  peak_memory_mb: 186.2,
  avg_cpu_percent: 45.2,
  queue_depth: 14,
  dead_letters: 1,
  worker_count: 8,
  version: 'v1.2.0',
};

export const METRICS_EXAMPLE: z.infer<typeof metricsSchema> = {
  stable: SNAPSHOT_EXAMPLE,
  canary: {
    ...SNAPSHOT_EXAMPLE,
    job_count: 312,
    success_count: 309,
    error_count: 3,
    worker_count: 2,
    version: 'v1.3.0',
  },
};

function checkExample(name: string, message: string): z.infer<typeof checkSchema> {
  return { name, passing: true, message, timestamp: '2025-09-14T12:45:00Z' };
}

export const HEALTH_EXAMPLE: z.infer<typeof healthSchema> = {
  overall_status: 'healthy',
  error_rate_check: checkExample('Error Rate', 'Error rate increase: 0.5% (threshold: 5.0%)'),
  latency_check: checkExample('P95 Latency', 'P95 latency increase: 8.2% (threshold: 50.0%)'),
  throughput_check: checkExample('Throughput', 'Throughput decrease: 5.1% (threshold: 20.0%)'),
  sample_size_check: checkExample('Sample Size', 'Sample size: 156 (required: 20)'),
  duration_check: checkExample('Duration', 'Duration: 12m30s (minimum: 5m0s)'),
  last_evaluation: '2025-09-14T12:45:00Z',
  evidence: {
    error_rate: { evidence: 0.42, required: 28.6, proven: false },
    latency: { evidence: 0.11, required: 133, proven: false },
    success_rate: { evidence: 0.5, required: 200, proven: false },
    throughput: { evidence: 0.5, required: 400, proven: false },
    canary_jobs: 160,
    stable_jobs: 1443,
  },
};

export function toMetricsJson(
  deployment: Deployment,
  observation: Observation,
): z.infer<typeof metricsSchema> {
  return {
    stable: toSnapshotJson(deployment, observation, 'stable'),
    canary: toSnapshotJson(deployment, observation, 'canary'),
  };
}

function toSnapshotJson(
  deployment: Deployment,
  { windowStart, windowEnd, lanes, workers, queue }: Observation,
  lane: Lane,
): z.infer<typeof snapshotSchema> {
  const totals = lanes[lane];
  const depths = queue?.kind === 'read' ? queue.depths : undefined;
  const rate = errorRate(totals);
  const seconds = (windowEnd - windowStart) / 1000;
  const memory = workers[lane].flatMap(({ metrics }) => metrics.memoryUsageMb ?? []);
  return {
    timestamp: toInstant(windowEnd),
    window_start: toInstant(windowStart),
    window_end: toInstant(windowEnd),
    job_count: jobCount(totals),
    success_count: successCount(totals),
    error_count: errorCount(totals),
    error_rate: rounded(rate),
    success_rate: rounded(rate === null ? null : 100 - rate),
    ...latencies(totals),
    jobs_per_second: rounded(seconds > 0 ? jobCount(totals) / seconds : null),
    avg_memory_mb: rounded(mean(memory)),
    peak_memory_mb: rounded(memory.length === 0 ? null : Math.max(...memory)),
    avg_cpu_percent: rounded(mean(workers[lane].flatMap(({ metrics }) => metrics.cpuUsagePercent ?? []))),
    queue_depth: depths === undefined ? null : depths.lanes[lane].waiting + depths.lanes[lane].delayed,
    dead_letters: depths?.dead ?? null,
    worker_count: workers[lane].filter(isUp).length,
    version: deployment[`${lane}Version`],
  };
}

function latencies({ latency }: LaneTotals) {
  const at = (q: number): number | null => rounded(latencyQuantile({ latency } as LaneTotals, q));
  return {
    avg_latency: rounded(latency.count === 0 ? null : latency.sum / latency.count),
    p50_latency: at(0.5),
    p95_latency: at(0.95),
    p99_latency: at(0.99),
    max_latency: rounded(latency.count === 0 ? null : latency.max),
  };
}

function isUp({ status }: Worker): boolean {
  return status === 'healthy' || status === 'degraded';
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Two decimals: no more is known. */
export function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value * 100) / 100;
}

export function toHealthJson({
  health,
  evidence,
  alpha,
  windowEnd,
  notes,
}: Observation): z.infer<typeof healthSchema> {
  const at = toInstant(windowEnd);
  const check = (found: HealthCheck) => ({ ...found, timestamp: at });
  return {
    overall_status: health.overallStatus,
    error_rate_check: check(health.errorRate),
    latency_check: check(health.latency),
    throughput_check: check(health.throughput),
    sample_size_check: check(health.sampleSize),
    duration_check: check(health.duration),
    last_evaluation: at,
    ...(evidence !== undefined && { evidence: toEvidenceJson(evidence, alpha) }),
    ...(notes.length > 0 && { notes: [...notes] }),
  };
}

function toEvidenceJson(evidence: Evidence, alpha: number): z.infer<typeof evidenceSchema> {
  const of = (criterion: Criterion): z.infer<typeof criterionSchema> => ({
    evidence: evidenceOf(evidence, criterion),
    required: Number(requiredEvidence(criterion, alpha).toPrecision(3)),
    proven: isProven(evidence, criterion, alpha),
  });
  return {
    error_rate: of('error_rate'),
    latency: of('latency'),
    success_rate: of('success_rate'),
    throughput: of('throughput'),
    canary_jobs: evidence.seen.canary.routed,
    stable_jobs: evidence.seen.stable.routed,
  };
}
