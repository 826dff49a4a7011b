import { z } from '@hono/zod-openapi';
import {
  DEPLOYMENT_STATUSES,
  EVENT_TYPES,
  type Deployment,
  type DeploymentEvent,
} from '../../src/core/deployment.ts';
import type { Propagation } from '../propagation.ts';
import { configSchema, toConfigJson } from './config-json.ts';
import { timestamp, toInstant } from './fields.ts';

/** Deployments and their events, as the API document writes them. */

export const EXAMPLE_ID = 'canary_123e4567-e89b-12d3-a456-426614174000';

export const deploymentSchema = z
  .object({
    id: z.string(),
    queue_name: z.string(),
    tenant_id: z.string().optional(),
    stable_version: z.string(),
    canary_version: z.string(),
    current_percent: z.number(),
    target_percent: z.number(),
    status: z.enum(DEPLOYMENT_STATUSES),
    start_time: timestamp,
    last_update: timestamp,
    completed_at: timestamp.optional(),
    config: configSchema,
    created_by: z.string().optional(),
    metadata: z.record(z.string(), z.unknown()).optional(),
  })
  .openapi('Deployment');

export const routingSchema = z
  .object({
    revision: z.int().openapi({ description: 'Number of the routing change.' }),
    proxies: z.int().nullable().openapi({ description: 'Proxies that live; null where nobody could say.' }),
    applied: z.int().nullable().openapi({ description: 'Of those, how many route by this revision.' }),
  })
  .openapi('Routing', { example: { revision: 42, proxies: 3, applied: 3 } });

export const routedDeploymentSchema = deploymentSchema
  .extend({ routing: routingSchema })
  .openapi('RoutedDeployment');

export const eventSchema = z
  .object({
    id: z.string(),
    deployment_id: z.string(),
    type: z.enum(EVENT_TYPES),
    message: z.string(),
    timestamp,
    actor: z.string().openapi({ description: 'The name of the credential that did it.' }),
    data: z.record(z.string(), z.unknown()).optional().openapi({ description: 'The numbers behind it.' }),
  })
  .openapi('DeploymentEvent');

export const DEPLOYMENT_EXAMPLE: z.infer<typeof deploymentSchema> = {
  id: EXAMPLE_ID,
  queue_name: 'payment-processing',
  tenant_id: 'acme-corp',
  stable_version: 'v1.2.0',
  canary_version: 'v1.3.0',
  current_percent: 25,
  target_percent: 25,
  status: 'active',
  start_time: '2025-09-14T12:00:00Z',
  last_update: '2025-09-14T12:15:00Z',
  config: {
    routing_strategy: 'split_queue',
    sticky_routing: true,
    auto_promotion: false,
    max_canary_duration: '2h0m0s',
    min_canary_duration: '5m0s',
    drain_timeout: '5m0s',
    metrics_window: '5m0s',
    rollback_thresholds: {
      max_error_rate_increase: 5,
      max_latency_increase: 50,
      max_throughput_decrease: 20,
      min_success_rate: 95,
      required_sample_size: 20,
    },
  },
  created_by: 'ops-team@acme.com',
};

export const EVENT_EXAMPLE: z.infer<typeof eventSchema> = {
  id: 'event_987fcdeb-51a2-43d8-b7e1-123456789abc',
  deployment_id: EXAMPLE_ID,
  type: 'percentage_updated',
  message: 'Traffic split updated to 25%',
  timestamp: '2025-09-14T12:15:00Z',
  actor: 'ops-team',
  data: { old_percentage: 10, new_percentage: 25 },
};

export function toDeploymentJson(deployment: Deployment): z.infer<typeof deploymentSchema> {
  const { tenant, completedAt, createdBy, metadata } = deployment;
  return {
    id: deployment.id,
    queue_name: deployment.queue,
    ...(tenant !== undefined && { tenant_id: tenant }),
    stable_version: deployment.stableVersion,
    canary_version: deployment.canaryVersion,
    current_percent: deployment.currentPercent,
    target_percent: deployment.targetPercent,
    status: deployment.status,
    start_time: toInstant(deployment.startTime),
    last_update: toInstant(deployment.lastUpdate),
    ...(completedAt !== undefined && { completed_at: toInstant(completedAt) }),
    config: toConfigJson(deployment.config),
    ...(createdBy !== undefined && { created_by: createdBy }),
    ...(metadata !== undefined && { metadata: { ...metadata } }),
  };
}

export function toRoutingJson({ revision, proxies, applied }: Propagation): z.infer<typeof routingSchema> {
  return { revision, proxies, applied };
}

export function toEventJson(event: DeploymentEvent): z.infer<typeof eventSchema> {
  return {
    id: event.id,
    deployment_id: event.deploymentId,
    type: event.type,
    message: event.message,
    timestamp: toInstant(event.timestamp),
    actor: event.actor,
    ...(event.data !== undefined && { data: { ...event.data } }),
  };
}
