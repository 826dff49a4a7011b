import type { HealthStatus } from '../health.ts';
import type { Evidence } from './evidence.ts';

/** What the judge made of a deployment when it last looked; kept in the store, so that another one can go on from it. */
export interface Judgement {
  /** Of the deployment's steps, the one that it is about. */
  readonly step: number;
  readonly status: HealthStatus;
  /** Names of the checks that pass, by the words of the metrics. */
  readonly checks: Readonly<Record<CheckName, boolean>>;
  /** Milliseconds since the epoch, by the store's clock. */
  readonly evaluatedAt: number;
  readonly evidence: Evidence;
}

export const CHECK_NAMES = ['error_rate', 'latency', 'throughput', 'sample_size', 'duration'] as const;
export type CheckName = (typeof CHECK_NAMES)[number];
