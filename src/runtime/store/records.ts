import { z } from 'zod';
import {
  ANALYSES,
  DEPLOYMENT_STATUSES,
  EVENT_TYPES,
  FALLBACKS,
  ROUTING_STRATEGIES,
  type Deployment,
  type DeploymentEvent,
} from '../../core/deployment.ts';
import { LanewiseError } from '../../core/errors.ts';
import type { Route } from '../../core/route.ts';
import type { Notice } from './outbox-store.ts';
import { WORKER_STATUSES, type RoutedWorker, type Worker } from '../../core/worker.ts';

/**
 * The domain's records as JSON. What comes back from a store is checked, since another release, an operator with
 * `redis-cli` or a bad disk may have written it, and a damaged record must be an error of one call, not of a process.
 * Unknown fields are kept: during an upgrade an older release must not cut off what a newer one has added.
 */

export interface RecordCodec<T> {
  encode(value: T): string;
  /** @param name says which record, for the message. @throws LanewiseError INTERNAL if it is damaged. */
  decode(text: string, name: string): T;
}

/** One beyond these would not be routed by what it says. */
const percentage = z.number().min(0).max(100);

const metadata = z.exactOptional(z.record(z.string(), z.unknown()));

export const deploymentSchema: z.ZodType<Deployment> = z.looseObject({
  id: z.string(),
  version: z.int(),
  queue: z.string(),
  tenant: z.exactOptional(z.string()),
  stableVersion: z.string(),
  canaryVersion: z.string(),
  currentPercent: percentage,
  targetPercent: percentage,
  status: z.enum(DEPLOYMENT_STATUSES),
  startTime: z.number(),
  lastUpdate: z.number(),
  step: z.int(),
  activeFrom: z.number(),
  stepFrom: z.number(),
  pausedAt: z.exactOptional(z.number()),
  completedAt: z.exactOptional(z.number()),
  drain: z.exactOptional(z.looseObject({ since: z.number(), moved: z.int() })),
  stranded: z.exactOptional(z.looseObject({ moved: z.int(), lastAt: z.number() })),
  config: z.looseObject({
    routingStrategy: z.enum(ROUTING_STRATEGIES),
    stickyRouting: z.boolean(),
    autoPromotion: z.boolean(),
    maxCanaryDurationMs: z.number(),
    minCanaryDurationMs: z.number(),
    drainTimeoutMs: z.number(),
    metricsWindowMs: z.number(),
    fallback: z.enum(FALLBACKS),
    autoRollback: z.boolean(),
    analysis: z.enum(ANALYSES),
    stages: z.array(z.looseObject({ percentage: z.number(), durationMs: z.number() })),
    retryOnStable: z.boolean(),
    requiredKeys: z.int(),
    rollbackThresholds: z.looseObject({
      maxErrorRateIncrease: z.number(),
      maxLatencyIncrease: z.number(),
      maxThroughputDecrease: z.number(),
      minSuccessRate: z.number(),
      requiredSampleSize: z.number(),
    }),
  }),
  createdBy: z.exactOptional(z.string()),
  metadata,
});

export const eventSchema: z.ZodType<DeploymentEvent> = z.looseObject({
  id: z.string(),
  deploymentId: z.string(),
  type: z.enum(EVENT_TYPES),
  message: z.string(),
  timestamp: z.number(),
  actor: z.string(),
  data: metadata,
});

export const routeSchema: z.ZodType<Route> = z.looseObject({
  queue: z.string(),
  tenant: z.exactOptional(z.string()),
  revision: z.int(),
  strategy: z.enum(ROUTING_STRATEGIES),
  stableVersion: z.string(),
  superseded: z.array(z.string()),
  rejected: z.array(z.string()),
  split: z.exactOptional(
    z.looseObject({
      deploymentId: z.string(),
      canaryVersion: z.string(),
      percentage,
      step: z.int(),
      sticky: z.boolean(),
      fallback: z.enum(FALLBACKS),
      retryOnStable: z.boolean(),
      countsKeys: z.boolean(),
    }),
  ),
  promotedAt: z.int(),
  decidedAt: z.int(),
});

const routedWorkerShape = {
  id: z.string(),
  version: z.string(),
  lane: z.enum(['stable', 'canary']),
  queues: z.array(z.string()),
  url: z.exactOptional(z.string()),
  healthPath: z.exactOptional(z.string()),
  weight: z.number(),
  maxConcurrency: z.exactOptional(z.number()),
  status: z.enum(WORKER_STATUSES),
};

export const routedWorkerSchema: z.ZodType<RoutedWorker> = z.looseObject(routedWorkerShape);

export const workerSchema: z.ZodType<Worker> = z.looseObject({
  ...routedWorkerShape,
  recordVersion: z.int(),
  registeredAt: z.number(),
  lastSeen: z.number(),
  metrics: z.looseObject({
    jobsProcessed: z.number(),
    jobsSucceeded: z.number(),
    jobsFailed: z.number(),
    avgProcessingTime: z.number().nullable(),
    memoryUsageMb: z.number().nullable(),
    cpuUsagePercent: z.number().nullable(),
    lastJobAt: z.number().nullable(),
  }),
  statusBeforeSilence: z.exactOptional(z.enum(WORKER_STATUSES)),
  metadata,
});

/** The rest of it is the judge's own to read. */
const noticeSchema: z.ZodType<Notice> = z.looseObject({
  id: z.string(),
  webhook: z.string(),
  event: eventSchema,
});

export const deploymentRecord = codecOf(deploymentSchema);
export const eventRecord = codecOf(eventSchema);
export const noticeRecord = codecOf(noticeSchema);
export const routeRecord = codecOf(routeSchema);
export const routedWorkerRecord = codecOf(routedWorkerSchema);
export const workerRecord = codecOf(workerSchema);

/** The message names the record and the field, never the content, which may be anything. */
export function damaged(name: string, reason: string, cause?: unknown): LanewiseError {
  return new LanewiseError('INTERNAL', `the stored ${name} is damaged: ${reason}`, { cause });
}

export function codecOf<T>(schema: z.ZodType<T>): RecordCodec<T> {
  return {
    encode: (value) => JSON.stringify(value),
    decode(text, name) {
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch (error) {
        throw damaged(name, 'not JSON', error);
      }
      const parsed = schema.safeParse(value);
      if (!parsed.success) throw damaged(name, complaints(parsed.error), parsed.error);
      return parsed.data;
    },
  };
}

function complaints(error: z.ZodError): string {
  return error.issues.map((i) => `${i.path.join('.') || 'record'}: ${i.message}`).join('; ');
}
