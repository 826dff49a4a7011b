import type { Deployment, RollbackThresholds } from './deployment.ts';
import { formatDuration } from './duration.ts';
import {
  completionRatio,
  errorRate,
  jobCount,
  latencyQuantile,
  type LanesTotals,
  type LaneTotals,
} from './lane-totals.ts';

/**
 * The five checks of a canary against its stable lane, and what they add up to. Pure: a deployment, what became of
 * the jobs in its window, and the time.
 */
export const HEALTH_STATUSES = ['healthy', 'warning', 'failing', 'unknown'] as const;
export type HealthStatus = (typeof HEALTH_STATUSES)[number];

export interface HealthCheck {
  readonly name: string;
  readonly passing: boolean;
  readonly message: string;
}

export interface HealthReport {
  readonly overallStatus: HealthStatus;
  readonly errorRate: HealthCheck;
  readonly latency: HealthCheck;
  readonly throughput: HealthCheck;
  readonly sampleSize: HealthCheck;
  readonly duration: HealthCheck;
  /** Milliseconds since the epoch. */
  readonly evaluatedAt: number;
}

/**
 * - `unknown`: fewer canary jobs than the required sample. No traffic is not a failure.
 * - `failing`: a threshold is breached.
 * - `warning`: breached too, but stable has fewer jobs than the required sample to compare with.
 * - `healthy`: the rest. That it has not run for long enough yet is no sign of ill health.
 */
export function evaluateHealth(deployment: Deployment, lanes: LanesTotals, now: number): HealthReport {
  const { rollbackThresholds: thresholds, minCanaryDurationMs } = deployment.config;
  const report = {
    errorRate: checkErrorRate(lanes, thresholds),
    latency: checkLatency(lanes, thresholds),
    throughput: checkThroughput(lanes, thresholds),
    sampleSize: checkSampleSize(lanes.canary, thresholds),
    duration: checkDuration(now - deployment.startTime, minCanaryDurationMs),
  };
  const isBreached = !(report.errorRate.passing && report.latency.passing && report.throughput.passing);
  const hasBaseline = jobCount(lanes.stable) >= thresholds.requiredSampleSize;
  const breach = hasBaseline ? 'failing' : 'warning';
  const judged = isBreached ? breach : 'healthy';
  return { overallStatus: report.sampleSize.passing ? judged : 'unknown', ...report, evaluatedAt: now };
}

function checkErrorRate({ stable, canary }: LanesTotals, thresholds: RollbackThresholds): HealthCheck {
  const name = 'Error Rate';
  const { maxErrorRateIncrease: most, minSuccessRate: floor } = thresholds;
  const rate = errorRate(canary);
  if (rate === null) return noData(name, 'Error rate', most);
  if (100 - rate < floor) {
    return {
      name,
      passing: false,
      message: `Success rate: ${percent(100 - rate)} (minimum: ${percent(floor)})`,
    };
  }
  // Without stable jobs there is nothing to compare with but none failed.
  return compared(name, 'Error rate', rate - (errorRate(stable) ?? 0), most);
}

function checkLatency({ stable, canary }: LanesTotals, thresholds: RollbackThresholds): HealthCheck {
  const name = 'P95 Latency';
  const most = thresholds.maxLatencyIncrease;
  const [before, after] = [latencyQuantile(stable, 0.95), latencyQuantile(canary, 0.95)];
  if (before === null || after === null || before === 0) return noData(name, 'P95 latency', most);
  return compared(name, 'P95 latency', (100 * (after - before)) / before, most);
}

/** Jobs finished per job routed, so that a canary that gets a tenth of the jobs is not "90 % slower". */
function checkThroughput({ stable, canary }: LanesTotals, thresholds: RollbackThresholds): HealthCheck {
  const name = 'Throughput';
  const most = thresholds.maxThroughputDecrease;
  const [before, after] = [completionRatio(stable), completionRatio(canary)];
  if (before === null || after === null || before === 0) return noData(name, 'Throughput', most);
  const change = (100 * (after - before)) / before;
  return { ...compared(name, 'Throughput', change, most), passing: -change <= most };
}

function checkSampleSize(canary: LaneTotals, { requiredSampleSize }: RollbackThresholds): HealthCheck {
  const jobs = jobCount(canary);
  return {
    name: 'Sample Size',
    passing: jobs >= requiredSampleSize,
    message: `Sample size: ${jobs} (required: ${requiredSampleSize})`,
  };
}

function checkDuration(ranMs: number, minimumMs: number): HealthCheck {
  const seconds = 1000 * Math.floor(Math.max(0, ranMs) / 1000);
  return {
    name: 'Duration',
    passing: ranMs >= minimumMs,
    message: `Duration: ${formatDuration(seconds)} (minimum: ${formatDuration(minimumMs)})`,
  };
}

/** The word says which way it went; the number carries no sign. */
function compared(name: string, what: string, change: number, threshold: number): HealthCheck {
  const way = change < 0 ? 'decrease' : 'increase';
  return {
    name,
    passing: change <= threshold,
    message: `${what} ${way}: ${percent(Math.abs(change))} (threshold: ${percent(threshold)})`,
  };
}

function noData(name: string, what: string, threshold: number): HealthCheck {
  return { name, passing: true, message: `${what}: no data (threshold: ${percent(threshold)})` };
}

function percent(value: number): string {
  return `${value.toFixed(1)}%`;
}
