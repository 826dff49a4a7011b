import { z } from '@hono/zod-openapi';
import {
  ANALYSES,
  FALLBACKS,
  ROUTING_STRATEGIES,
  type RollbackThresholds,
  type Stage,
} from '../../src/core/deployment.ts';
import { formatDuration } from '../../src/core/duration.ts';
import type { DeploymentConfig } from '../../src/core/deployment.ts';
import type { Profile } from '../../config/profiles.ts';

/** A deployment's configuration and the profiles, as the API document writes them. */

const durationText = z.string().openapi({ example: '5m0s', description: "Go's canonical form." });

const thresholdsSchema = z
  .object({
    max_error_rate_increase: z.number(),
    max_latency_increase: z.number(),
    max_throughput_decrease: z.number(),
    min_success_rate: z.number(),
    required_sample_size: z.int(),
  })
  .openapi('RollbackThresholds');

const stagesSchema = z.array(z.object({ percentage: z.number(), duration: durationText }).openapi('Stage'));

export const profileSchema = z
  .object({
    routing_strategy: z.enum(ROUTING_STRATEGIES),
    sticky_routing: z.boolean(),
    auto_promotion: z.boolean(),
    max_canary_duration: durationText,
    min_canary_duration: durationText,
    drain_timeout: durationText.optional(),
    metrics_window: durationText.optional(),
    stages: stagesSchema.optional().openapi({ description: 'Of automatic promotion.' }),
    rollback_thresholds: thresholdsSchema,
  })
  .openapi('Profile');

export const configSchema = profileSchema
  .extend({
    drain_timeout: durationText,
    metrics_window: durationText,
    fallback: z.enum(FALLBACKS).optional().openapi({ description: 'Present where it is not `stable`.' }),
    auto_rollback: z.boolean().optional().openapi({ description: 'Present where it is not `true`.' }),
    analysis: z.enum(ANALYSES).optional().openapi({ description: 'Present where it is not `sequential`.' }),
    retry_on_stable: z.boolean().optional().openapi({ description: 'Present where it is not `false`.' }),
    required_distinct_keys: z.int().optional().openapi({ description: 'Present where it is not 0.' }),
  })
  .openapi('DeploymentConfig');

function toThresholdsJson(thresholds: RollbackThresholds): z.infer<typeof thresholdsSchema> {
  return {
    max_error_rate_increase: thresholds.maxErrorRateIncrease,
    max_latency_increase: thresholds.maxLatencyIncrease,
    max_throughput_decrease: thresholds.maxThroughputDecrease,
    min_success_rate: thresholds.minSuccessRate,
    required_sample_size: thresholds.requiredSampleSize,
  };
}

function toStagesJson(stages: readonly Stage[]): z.infer<typeof stagesSchema> {
  return stages.map(({ percentage, durationMs }) => ({ percentage, duration: formatDuration(durationMs) }));
}

export function toConfigJson(config: DeploymentConfig): z.infer<typeof configSchema> {
  return {
    routing_strategy: config.routingStrategy,
    sticky_routing: config.stickyRouting,
    auto_promotion: config.autoPromotion,
    max_canary_duration: formatDuration(config.maxCanaryDurationMs),
    min_canary_duration: formatDuration(config.minCanaryDurationMs),
    drain_timeout: formatDuration(config.drainTimeoutMs),
    metrics_window: formatDuration(config.metricsWindowMs),
    ...(config.fallback !== 'stable' && { fallback: config.fallback }),
    ...(!config.autoRollback && { auto_rollback: false }),
    ...(config.analysis !== 'sequential' && { analysis: config.analysis }),
    ...(config.retryOnStable && { retry_on_stable: true }),
    ...(config.requiredKeys > 0 && { required_distinct_keys: config.requiredKeys }),
    ...(config.stages.length > 0 && { stages: toStagesJson(config.stages) }),
    rollback_thresholds: toThresholdsJson(config.rollbackThresholds),
  };
}

export function toProfileJson(profile: Profile): z.infer<typeof profileSchema> {
  return {
    routing_strategy: profile.routingStrategy,
    sticky_routing: profile.stickyRouting,
    auto_promotion: profile.autoPromotion,
    max_canary_duration: formatDuration(profile.maxCanaryDurationMs),
    min_canary_duration: formatDuration(profile.minCanaryDurationMs),
    ...(profile.drainTimeoutMs !== undefined && { drain_timeout: formatDuration(profile.drainTimeoutMs) }),
    ...(profile.metricsWindowMs !== undefined && { metrics_window: formatDuration(profile.metricsWindowMs) }),
    ...(profile.stages !== undefined && { stages: toStagesJson(profile.stages) }),
    rollback_thresholds: toThresholdsJson(profile.rollbackThresholds),
  };
}
