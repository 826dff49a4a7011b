import type { LanesTotals } from '../../core/lane-totals.ts';

/**
 * Telemetry on its way from the proxies to whoever asks, additive: in time buckets, of which any window can be made by
 * anyone, without having been there, and as running totals of each step of a deployment (`JudgeStore.readStep`).
 * Buckets run by the store's clock, so that the clocks of proxies and control planes may differ.
 */
export interface TelemetryStore {
  /** Adds to the deployment's current bucket and to the totals of the step that the jobs were dispatched in, at once. */
  recordTelemetry(deploymentId: string, step: number, delta: LanesTotals): Promise<void>;
  /** What was recorded in the `windowMs` that ended `agoMs` ago, rounded up to whole buckets. */
  readTelemetry(deploymentId: string, windowMs: number, agoMs?: number): Promise<LanesTotals>;
}

export const BUCKET_MS = 5_000;

/** Longest window that can be asked for, and how long buckets are kept. */
export const TELEMETRY_WINDOW_MAX_MS = 24 * 3_600_000;

/** How long the totals of a step are kept after they were last written. */
export const STEP_KEPT_MS = 7 * 24 * 3_600_000;

export interface BucketRange {
  /** Not itself part of it. */
  readonly after: number;
  readonly last: number;
}

/** The bucket in which the window ended belongs to it, and as many before that as it takes. */
export function bucketsOf(current: number, windowMs: number, agoMs: number): BucketRange {
  const last = current - Math.floor(Math.max(0, agoMs) / BUCKET_MS);
  return { after: last - Math.ceil(Math.min(windowMs, TELEMETRY_WINDOW_MAX_MS) / BUCKET_MS), last };
}
