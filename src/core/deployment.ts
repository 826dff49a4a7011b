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

export interface RollbackThresholds {
  /** Percentage points above stable. */
  readonly maxErrorRateIncrease: number;
  /** Percent above stable's p95. */
  readonly maxLatencyIncrease: number;
  /** Percent below stable. */
  readonly maxThroughputDecrease: number;
  /** Percent. */
  readonly minSuccessRate: number;
  /** Canary jobs in the window. */
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
  readonly completedAt?: number;
  readonly config: DeploymentConfig;
  readonly createdBy?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export const EVENT_TYPES = [
  'deployment_created',
  'percentage_updated',
  'deployment_promoted',
  'deployment_rolled_back',
  'health_check_failed',
  'auto_promotion_triggered',
  'deployment_paused',
  'deployment_resumed',
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
