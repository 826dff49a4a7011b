import type { LanesTotals } from '../../core/lane-totals.ts';

/**
 * Telemetry on its way from the proxies to whoever asks, additive and in time buckets. Buckets run by the store's
 * clock, so that the clocks of proxies and control planes may differ. Any window can be read by anyone, without having
 * been there.
 */
export interface TelemetryStore {
  /** Adds to the current bucket of the deployment. */
  recordTelemetry(deploymentId: string, delta: LanesTotals): Promise<void>;
  /** What was recorded in the `windowMs` that ended `agoMs` ago, rounded up to whole buckets. */
  readTelemetry(deploymentId: string, windowMs: number, agoMs?: number): Promise<LanesTotals>;
}

export const BUCKET_MS = 5_000;

/** Longest window that can be asked for, and how long buckets are kept. */
export const TELEMETRY_WINDOW_MAX_MS = 24 * 3_600_000;

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
