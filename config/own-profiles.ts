import { z } from 'zod';
import { ROUTING_STRATEGIES } from '../src/core/deployment.ts';
import { formatDuration } from '../src/core/duration.ts';
import { isPercentage } from '../src/core/lane.ts';
import { IDENTIFIER } from '../src/core/names.ts';
import { decimal, duration, flag, integer, oneOf } from './fields.ts';
import { DOCUMENTED_PROFILES, type Profile, type Profiles } from './profiles.ts';

/**
 * An operator's own profiles, beside the documented ones. Each says what it wants to have otherwise than `default`, in
 * the words of the API; the ranges are those of a request that creates a deployment.
 */

const SECOND = 1000;
const HOUR = 3_600_000;
const YEAR = 365 * 24 * HOUR;

const BASE = DOCUMENTED_PROFILES.default;

const profileSettings = z
  .strictObject({
    routing_strategy: oneOf(ROUTING_STRATEGIES).default(BASE.routingStrategy),
    sticky_routing: flag().default(BASE.stickyRouting),
    auto_promotion: flag().default(BASE.autoPromotion),
    max_canary_duration: duration(SECOND, YEAR).default(BASE.maxCanaryDurationMs),
    min_canary_duration: duration(0, YEAR).default(BASE.minCanaryDurationMs),
    drain_timeout: duration(0, 24 * HOUR).default(BASE.drainTimeoutMs),
    metrics_window: duration(SECOND, 24 * HOUR).default(BASE.metricsWindowMs),
    stages: z
      .array(
        z.strictObject({
          percentage: decimal(0.01, 99.99).refine(isPercentage, { error: 'must have at most two decimals' }),
          duration: duration(0, YEAR),
        }),
      )
      .min(1, { error: 'must hold at least one stage' })
      .refine((list) => list.every(({ percentage: p }, i) => i === 0 || p > list[i - 1]!.percentage), {
        error: 'must have rising percentages',
      })
      .optional(),
    rollback_thresholds: z
      .strictObject({
        max_error_rate_increase: decimal(0, 100).default(BASE.rollbackThresholds.maxErrorRateIncrease),
        max_latency_increase: decimal(0, 50_000).default(BASE.rollbackThresholds.maxLatencyIncrease),
        max_throughput_decrease: decimal(0, 100).default(BASE.rollbackThresholds.maxThroughputDecrease),
        min_success_rate: decimal(0, 100).default(BASE.rollbackThresholds.minSuccessRate),
        required_sample_size: integer(1, 1_000_000).default(BASE.rollbackThresholds.requiredSampleSize),
      })
      .prefault({}),
  })
  .refine(({ max_canary_duration: max, min_canary_duration: min }) => min <= max, {
    path: ['min_canary_duration'],
    error: ({ input }) =>
      `must not be longer than max_canary_duration, ${formatDuration((input as { max_canary_duration: number }).max_canary_duration)}`,
  })
  .refine(({ stages, auto_promotion }) => stages === undefined || auto_promotion, {
    path: ['stages'],
    error: 'need auto_promotion to be true; without it nobody goes through them',
  });

const profileName = z
  .string()
  .regex(IDENTIFIER.pattern, { error: `is not a name of a profile: ${IDENTIFIER.accepted}` })
  .refine((name) => !Object.hasOwn(DOCUMENTED_PROFILES, name), {
    error: 'is one of the documented profiles, whose numbers clients rely on; choose another name',
  });

export const ownProfiles = z.record(profileName, profileSettings).default({});

/** The documented profiles and the operator's. */
export function profilesWith(own: z.output<typeof ownProfiles>): Profiles {
  const entries = Object.entries(own).map(([name, settings]) => [name, toProfile(settings)] as const);
  return { ...DOCUMENTED_PROFILES, ...Object.fromEntries(entries) };
}

function toProfile(settings: z.output<typeof profileSettings>): Profile {
  const thresholds = settings.rollback_thresholds;
  return {
    routingStrategy: settings.routing_strategy,
    stickyRouting: settings.sticky_routing,
    autoPromotion: settings.auto_promotion,
    maxCanaryDurationMs: settings.max_canary_duration,
    minCanaryDurationMs: settings.min_canary_duration,
    drainTimeoutMs: settings.drain_timeout,
    metricsWindowMs: settings.metrics_window,
    ...(settings.stages !== undefined && {
      stages: settings.stages.map((stage) => ({
        percentage: stage.percentage,
        durationMs: stage.duration,
      })),
    }),
    rollbackThresholds: {
      maxErrorRateIncrease: thresholds.max_error_rate_increase,
      maxLatencyIncrease: thresholds.max_latency_increase,
      maxThroughputDecrease: thresholds.max_throughput_decrease,
      minSuccessRate: thresholds.min_success_rate,
      requiredSampleSize: thresholds.required_sample_size,
    },
  };
}
