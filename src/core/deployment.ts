/** One canary roll-out of a queue (and tenant). Times are milliseconds since the epoch, durations milliseconds. */

export const ROUTING_STRATEGIES = ['split_queue', 'stream_group', 'hash_ring'] as const;
export type RoutingStrategy = (typeof ROUTING_STRATEGIES)[number];

export const DEPLOYMENT_STATUSES = [
  'active',
  'promoting',
  'rolling_back',
  'completed',
  'failed',
  'paused',
] as const;
export type DeploymentStatus = (typeof DEPLOYMENT_STATUSES)[number];

/** Where a canary's jobs go when its lane has no usable worker. */
export const FALLBACKS = ['stable', 'none'] as const;
export type Fallback = (typeof FALLBACKS)[number];

/**
 * When a breached threshold counts: `sequential` once the evidence says so, `threshold` at once (the plain rule, which
 * also takes back good canaries by chance).
 */
export const ANALYSES = ['sequential', 'threshold'] as const;
export type Analysis = (typeof ANALYSES)[number];

/** A step of an automatic promotion: a percentage, and how long it must go well before the next one. */
export interface Stage {
  readonly percentage: number;
  readonly durationMs: number;
}

export interface RollbackThresholds {
  /** Percentage points above stable. */
  readonly maxErrorRateIncrease: number;
  /** Percent above stable's p95. */
  readonly maxLatencyIncrease: number;
  /** Percent below stable. */
  readonly maxThroughputDecrease: number;
  /** Percent. */
  readonly minSuccessRate: number;
  /** Canary jobs. */
  readonly requiredSampleSize: number;
}

export interface DeploymentConfig {
  readonly routingStrategy: RoutingStrategy;
  readonly stickyRouting: boolean;
  readonly autoPromotion: boolean;
  readonly maxCanaryDurationMs: number;
  readonly minCanaryDurationMs: number;
  readonly drainTimeoutMs: number;
  readonly metricsWindowMs: number;
  readonly fallback: Fallback;
  /** Take it back when it fails. */
  readonly autoRollback: boolean;
  readonly analysis: Analysis;
  /** Of automatic promotion, by rising percentage; none without it. */
  readonly stages: readonly Stage[];
  /** Try a job that failed on the canary once on stable. For jobs that may run twice. */
  readonly retryOnStable: boolean;
  /** Distinct sticky keys that the canary must have seen before anything is decided; 0: any number. */
  readonly requiredKeys: number;
  readonly rollbackThresholds: RollbackThresholds;
}

export interface Deployment {
  readonly id: string;
  /** Number of this record's writes, from 1; for compare-and-set. */
  readonly version: number;
  readonly queue: string;
  readonly tenant?: string;
  readonly stableVersion: string;
  readonly canaryVersion: string;
  readonly currentPercent: number;
  /** Where it is heading. */
  readonly targetPercent: number;
  readonly status: DeploymentStatus;
  readonly startTime: number;
  readonly lastUpdate: number;
  /** The number of this percentage since the start, from 1. Each change of percentage begins a new step. */
  readonly step: number;
  /** When the deployment and its step began, moved on by the time that was spent paused since. */
  readonly activeFrom: number;
  readonly stepFrom: number;
  /** While it is paused. */
  readonly pausedAt?: number;
  readonly completedAt?: number;
  /** While its canary lane is being drained. */
  readonly drain?: Drain;
  /** Jobs of its canary lane that nobody took, and that went to stable for that. */
  readonly stranded?: Stranded;
  readonly config: DeploymentConfig;
  readonly createdBy?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export interface Drain {
  /** When the promotion or rollback was decided that it belongs to. */
  readonly since: number;
  /** Jobs that have gone to stable so far. */
  readonly moved: number;
}

export interface Stranded {
  readonly moved: number;
  readonly lastAt: number;
}

export const EVENT_TYPES = [
  'deployment_created',
  'percentage_updated',
  'deployment_promoted',
  'deployment_rolled_back',
  'health_check_failed',
  'health_check_recovered',
  'auto_promotion_triggered',
  'deployment_paused',
  'deployment_resumed',
  'lane_drained',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** Something that happened to a deployment, stored in the same step as the change it tells of. */
export interface DeploymentEvent {
  readonly id: string;
  readonly deploymentId: string;
  readonly type: EventType;
  readonly message: string;
  readonly timestamp: number;
  /** Who did it: the name of a credential, or `judge`. */
  readonly actor: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** How long it has been active, milliseconds: time spent paused does not count. */
export function activeMs({ activeFrom, pausedAt }: Deployment, now: number): number {
  return Math.max(0, (pausedAt ?? now) - activeFrom);
}

/** The same of its current percentage. */
export function stepMs({ stepFrom, pausedAt }: Deployment, now: number): number {
  return Math.max(0, (pausedAt ?? now) - stepFrom);
}
