import type { LanesTotals } from '../../core/lane-totals.ts';

/**
 * Telemetry on its way from the proxies to whoever asks, additive and in time buckets. Buckets run by the store's
 * clock, so that the clocks of proxies and control planes may differ. Any window can be read by anyone, without having
 * been there.
 */
export interface TelemetryStore {
  /** Adds to the current bucket of the deployment. */
  recordTelemetry(deploymentId: string, delta: LanesTotals): Promise<void>;
  /** What was recorded in the latest `windowMs`, rounded up to whole buckets. */
  readTelemetry(deploymentId: string, windowMs: number): Promise<LanesTotals>;
}

export const BUCKET_MS = 5_000;

/** Longest window that can be asked for, and how long buckets are kept. */
export const TELEMETRY_WINDOW_MAX_MS = 24 * 3_600_000;

/** The current bucket belongs to the window, and as many before it as it takes. */
export function firstBucket(current: number, windowMs: number): number {
  return current - Math.ceil(Math.min(windowMs, TELEMETRY_WINDOW_MAX_MS) / BUCKET_MS);
}
