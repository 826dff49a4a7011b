import { z } from '@hono/zod-openapi';
import { ROUTING_STRATEGIES } from '../../src/core/deployment.ts';
import { LANES } from '../../src/core/lane.ts';
import { ATTEMPT_OUTCOMES, type JobAttempt, type QueueJob } from '../../src/core/queue-job.ts';
import type { DeadJob, LaneDepth } from '../../src/runtime/store/lane-store.ts';
import type { SeenQueue } from '../lanes/queues.ts';
import { timestamp, toInstant } from './fields.ts';

/** Queues and dead jobs in answers. What nobody knows is null, never a made-up 0. */

const laneSchema = z
  .object({
    waiting: z.int(),
    delayed: z.int().openapi({ description: 'Until their next attempt.' }),
    in_flight: z.int().openapi({
      description: 'In the hands of proxies; consumers that read Redis themselves are not seen.',
    }),
    oldest_age_seconds: z.number().nullable().openapi({
      description: 'Of the job at the front; null if none waits, or the job does not say (`envelope: raw`).',
    }),
  })
  .openapi('QueueLane');

export const queueSchema = z
  .object({
    name: z.string(),
    strategy: z.enum(ROUTING_STRATEGIES),
    lanes: z
      .object({ stable: laneSchema, canary: laneSchema })
      .nullable()
      .openapi({ description: 'Null for hash_ring, and where `problem` says why.' }),
    dead: z.int().nullable().openapi({ description: 'Null where `lanes` is.' }),
    intake_depth: z
      .int()
      .nullable()
      .optional()
      .openapi({
        description:
          'Jobs that producers have pushed and no proxy has routed yet; null where `problem` says why. ' +
          'Only of a queue with an `intake`.',
      }),
    problem: z.string().optional().openapi({ description: 'Why the lanes, or the intake, can not be read.' }),
  })
  .openapi('Queue');

const attemptSchema = z
  .object({
    at: timestamp,
    version: z.string(),
    worker: z.string().optional(),
    outcome: z.enum(ATTEMPT_OUTCOMES).openapi({
      description: '`lost`: whoever had the job died, and what became of it is not known.',
    }),
    status: z.int().optional().openapi({ description: "Of the worker's answer." }),
    message: z.string().optional(),
  })
  .openapi('JobAttempt');

export const deadJobSchema = z
  .object({
    id: z.string().openapi({ description: 'Of this death; the same job can die twice.' }),
    at: timestamp,
    lane: z.enum(LANES).openapi({ description: 'In which it died.' }),
    reason: z.string(),
    job_id: z.string().nullable().openapi({ description: 'Null, like all below, if it could not be read.' }),
    key: z.string().nullable().openapi({ description: 'The sticky key.' }),
    tenant_id: z.string().nullable().openapi({ description: 'Null also if it has none.' }),
    enqueued_at: timestamp.nullable().openapi({ description: 'Null also if the job does not say.' }),
    attempts: z.int().nullable(),
    history: z.array(attemptSchema).openapi({ description: 'The latest attempts, oldest first.' }),
    body: z.string().nullable().openapi({ description: 'At most its first 16 KiB.' }),
    body_encoding: z.enum(['utf-8', 'base64']).nullable(),
    body_bytes: z.int().nullable().openapi({ description: 'Of the whole body.' }),
    body_truncated: z.boolean(),
  })
  .openapi('DeadJob');

export const QUEUE_EXAMPLE: z.infer<typeof queueSchema> = {
  name: 'payment-processing',
  strategy: 'split_queue',
  lanes: {
    stable: { waiting: 12, delayed: 2, in_flight: 8, oldest_age_seconds: 0.35 },
    canary: { waiting: 1, delayed: 0, in_flight: 2, oldest_age_seconds: 0.12 },
  },
  dead: 1,
};

export const DEAD_JOB_EXAMPLE: z.infer<typeof deadJobSchema> = {
  id: '0000000000000042',
  at: '2025-09-14T12:45:00Z',
  lane: 'canary',
  reason: 'failed 5 times, the last with status 500',
  job_id: '01994a6e-5b1c-7cc2-9d3b-2f6f1c1d8a11',
  key: 'customer-17',
  tenant_id: null,
  enqueued_at: '2025-09-14T12:44:00Z',
  attempts: 5,
  history: [
    {
      at: '2025-09-14T12:45:00Z',
      version: 'v1.3.0',
      worker: 'worker-003-canary',
      outcome: 'failure',
      status: 500,
    },
  ],
  body: '{"amount":100}',
  body_encoding: 'utf-8',
  body_bytes: 14,
  body_truncated: false,
};

export function toQueueJson({ name, strategy, reading }: SeenQueue): z.infer<typeof queueSchema> {
  if (reading?.kind !== 'read') {
    const problem = reading === undefined ? {} : { problem: reading.problem };
    return { name, strategy, lanes: null, dead: null, ...problem };
  }
  const {
    depths: { lanes, dead },
    intake,
  } = reading;
  return {
    name,
    strategy,
    lanes: { stable: toLaneJson(lanes.stable), canary: toLaneJson(lanes.canary) },
    dead,
    ...(intake !== undefined && { intake_depth: intake.kind === 'read' ? intake.depth : null }),
    ...(intake?.kind === 'unusable' && { problem: intake.problem }),
  };
}

function toLaneJson({ waiting, delayed, inFlight, oldestAgeMs }: LaneDepth): z.infer<typeof laneSchema> {
  return {
    waiting,
    delayed,
    in_flight: inFlight,
    oldest_age_seconds: oldestAgeMs === null ? null : oldestAgeMs / 1000,
  };
}

export function toDeadJobJson({ id, at, lane, reason, content }: DeadJob): z.infer<typeof deadJobSchema> {
  const about = { id, at: toInstant(at), lane, reason };
  return { ...about, ...(content.kind === 'job' ? toJobJson(content.job) : UNREADABLE) };
}

const UNREADABLE = {
  job_id: null,
  key: null,
  tenant_id: null,
  enqueued_at: null,
  attempts: null,
  history: [],
  body: null,
  body_encoding: null,
  body_bytes: null,
  body_truncated: false,
};

function toJobJson({ id, key, tenant, enqueuedAt, attempt, history, body }: QueueJob) {
  return {
    job_id: id,
    key,
    tenant_id: tenant ?? null,
    // A raw job that was never taken has no time of its own.
    enqueued_at: enqueuedAt === 0 ? null : toInstant(enqueuedAt),
    attempts: attempt,
    history: history.map(toAttemptJson),
    ...toBodyJson(body),
  };
}

function toAttemptJson({ at, version, worker, outcome, status, message }: JobAttempt) {
  return {
    at: toInstant(at),
    version,
    ...(worker !== undefined && { worker }),
    outcome,
    ...(status !== undefined && { status }),
    ...(message !== undefined && { message }),
  };
}

/** Enough to recognise a job by; whoever wants all of a large one finds it in the store. */
const BODY_BYTES_SHOWN = 16 * 1024;

function toBodyJson(body: Uint8Array) {
  const shown = body.subarray(0, BODY_BYTES_SHOWN);
  const size = { body_bytes: body.length, body_truncated: shown.length < body.length };
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    // A character that the cut goes through is left out.
    return {
      body: decoder.decode(shown, { stream: size.body_truncated }),
      body_encoding: 'utf-8' as const,
      ...size,
    };
  } catch {
    return { body: Buffer.from(shown).toString('base64'), body_encoding: 'base64' as const, ...size };
  }
}
