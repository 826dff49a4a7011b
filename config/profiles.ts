import type { DeploymentConfig, RollbackThresholds, RoutingStrategy, Stage } from '../src/core/deployment.ts';

/**
 * Named sets of defaults for a new deployment: what a request leaves out comes from its profile. The three of the API
 * document are here; an operator's own stand beside them under their own names.
 */
export interface Profile {
  readonly routingStrategy: RoutingStrategy;
  readonly stickyRouting: boolean;
  readonly autoPromotion: boolean;
  readonly maxCanaryDurationMs: number;
  readonly minCanaryDurationMs: number;
  /** By rising percentage. Left out: four equal shares of the minimum duration, where it promotes automatically. */
  readonly stages?: readonly Stage[];
  /** Left out: the `default` profile's. */
  readonly drainTimeoutMs?: number;
  /** Left out: the `default` profile's. */
  readonly metricsWindowMs?: number;
  readonly rollbackThresholds: RollbackThresholds;
}

export type Profiles = Readonly<Record<string, Profile>>;

/** The profile of a request that names none. */
export const DEFAULT_PROFILE_NAME = 'default';

const SECONDS = 1000;
const MINUTES = 60 * SECONDS;
const HOURS = 60 * MINUTES;

/** Half of a usual job timeout of ten minutes: what is still running by then is stuck more often than slow. */
const DRAIN_TIMEOUT_MS = 5 * MINUTES;

/** Long enough for 20 jobs at 4 a minute, short enough that a bad step shows before the next one. */
const METRICS_WINDOW_MS = 5 * MINUTES;

const DEFAULT_PROFILE = {
  routingStrategy: 'split_queue',
  stickyRouting: true,
  // A person looks at it unless they said otherwise.
  autoPromotion: false,
  // An afternoon's release; one that nobody ended by then was forgotten.
  maxCanaryDurationMs: 2 * HOURS,
  // One whole metrics window.
  minCanaryDurationMs: METRICS_WINDOW_MS,
  drainTimeoutMs: DRAIN_TIMEOUT_MS,
  metricsWindowMs: METRICS_WINDOW_MS,
  rollbackThresholds: {
    maxErrorRateIncrease: 5,
    maxLatencyIncrease: 50,
    maxThroughputDecrease: 20,
    minSuccessRate: 95,
    // One error among 20 jobs is the 5 points of `maxErrorRateIncrease`.
    requiredSampleSize: 20,
  },
} as const satisfies Profile;

export const DOCUMENTED_PROFILES = {
  /** Most business logic. */
  default: DEFAULT_PROFILE,
  /** Payments, sign-in: twice the time, less than half the tolerance. */
  conservative: {
    routingStrategy: 'split_queue',
    stickyRouting: true,
    autoPromotion: false,
    maxCanaryDurationMs: 4 * HOURS,
    // Three metrics windows.
    minCanaryDurationMs: 15 * MINUTES,
    rollbackThresholds: {
      maxErrorRateIncrease: 2,
      maxLatencyIncrease: 20,
      maxThroughputDecrease: 10,
      minSuccessRate: 95,
      requiredSampleSize: 20,
    },
  },
  /** Analytics, reports: only a canary that plainly fails is taken back. */
  aggressive: {
    routingStrategy: 'split_queue',
    // Nobody follows one customer through a report, and jobs spread evenly at once.
    stickyRouting: false,
    autoPromotion: true,
    maxCanaryDurationMs: 30 * MINUTES,
    minCanaryDurationMs: 2 * MINUTES,
    rollbackThresholds: {
      maxErrorRateIncrease: 20,
      maxLatencyIncrease: 200,
      maxThroughputDecrease: 75,
      minSuccessRate: 70,
      // With thresholds this wide, five jobs tell the broken from the rest.
      requiredSampleSize: 5,
    },
  },
} as const satisfies Profiles;

/** A profile as the configuration of a deployment, with nothing left open. */
export function profileConfig(profile: Profile, fallback: Profile = DEFAULT_PROFILE): DeploymentConfig {
  return {
    routingStrategy: profile.routingStrategy,
    stickyRouting: profile.stickyRouting,
    autoPromotion: profile.autoPromotion,
    maxCanaryDurationMs: profile.maxCanaryDurationMs,
    minCanaryDurationMs: profile.minCanaryDurationMs,
    drainTimeoutMs: profile.drainTimeoutMs ?? fallback.drainTimeoutMs ?? DRAIN_TIMEOUT_MS,
    metricsWindowMs: profile.metricsWindowMs ?? fallback.metricsWindowMs ?? METRICS_WINDOW_MS,
    fallback: 'stable',
    autoRollback: true,
    analysis: 'sequential',
    stages: profile.stages ?? [],
    retryOnStable: false,
    requiredKeys: 0,
    rollbackThresholds: profile.rollbackThresholds,
  };
}
