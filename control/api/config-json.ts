import { z } from '@hono/zod-openapi';
import { FALLBACKS, ROUTING_STRATEGIES, type RollbackThresholds } from '../../src/core/deployment.ts';
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

export const profileSchema = z
  .object({
    routing_strategy: z.enum(ROUTING_STRATEGIES),
    sticky_routing: z.boolean(),
    auto_promotion: z.boolean(),
    max_canary_duration: durationText,
    min_canary_duration: durationText,
    drain_timeout: durationText.optional(),
    metrics_window: durationText.optional(),
    rollback_thresholds: thresholdsSchema,
  })
  .openapi('Profile');

export const configSchema = profileSchema
  .extend({
    drain_timeout: durationText,
    metrics_window: durationText,
    fallback: z.enum(FALLBACKS).optional().openapi({ description: 'Present where it is not `stable`.' }),
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
    rollback_thresholds: toThresholdsJson(profile.rollbackThresholds),
  };
}
