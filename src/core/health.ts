import { activeMs, type Deployment, type RollbackThresholds } from './deployment.ts';
import { distinctKeyCount } from './distinct-keys.ts';
import { formatDuration } from './duration.ts';
import type { Completion, LaneCompletion } from './judge/completion.ts';
import { isProven, type Criterion, type Evidence } from './judge/evidence.ts';
import {
  errorCount,
  errorRate,
  jobCount,
  latencyQuantile,
  type LanesTotals,
  type LaneTotals,
} from './lane-totals.ts';

/**
 * The five checks of a canary against its stable lane, and what they add up to. Pure: a deployment, what became of
 * the jobs in its window, the evidence that was gathered, and the time.
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
  /** What is breached and counts; empty unless it is failing. */
  readonly causes: readonly Cause[];
}

/** Why a canary is failing, in plain words and numbers. */
export interface Cause {
  readonly criterion: Criterion;
  readonly message: string;
}

/** A check, and the criterion by which its breach would have to be proven. */
interface Judged {
  readonly check: HealthCheck;
  readonly criterion: Criterion;
  /** The numbers behind it, for the reason of a rollback. */
  readonly counts: string;
}

/**
 * - `unknown`: fewer canary jobs than the required sample, or nothing of stable to compare with. No traffic is not a
 *   failure.
 * - `failing`: a threshold is breached and the evidence says so. With `threshold` analysis the breach is enough, once
 *   stable has the required sample too.
 * - `warning`: breached, not proven.
 * - `healthy`: the rest. That it has not run for long enough yet is no sign of ill health.
 *
 * @param window what became of the jobs in the metrics window, but not from before the current percentage
 * @param evidence undefined while nobody has gathered any
 * @param alpha chance of ever failing a canary that is within its thresholds
 */
export function evaluateHealth(
  deployment: Deployment,
  window: LanesTotals,
  evidence: Evidence | undefined,
  alpha: number,
  now: number,
): HealthReport {
  const { rollbackThresholds: thresholds, analysis } = deployment.config;
  const lanes = basisOf(window, evidence, thresholds);
  const errors = checkErrorRate(lanes, thresholds);
  const floor = checkSuccessRate(lanes, thresholds);
  const latency = checkLatency(lanes, thresholds);
  const throughput = checkThroughput(evidence?.completion, thresholds);
  const sampleSize = checkSampleSize(deployment, lanes.canary, evidence);
  const duration = checkDuration(activeMs(deployment, now), deployment.config.minCanaryDurationMs);

  const counts = ({ criterion }: Judged): boolean =>
    analysis === 'threshold'
      ? jobCount(lanes.stable) >= thresholds.requiredSampleSize
      : evidence !== undefined && isProven(evidence, criterion, alpha);
  const breached = [errors, floor, latency, throughput].filter(({ check }) => !check.passing);
  const proven = sampleSize.passing ? breached.filter(counts) : [];
  return {
    overallStatus: statusOf(deployment, lanes, sampleSize.passing, breached.length, proven.length),
    // The floor is told of where the increase alone would pass.
    errorRate: errors.check.passing && !floor.check.passing ? floor.check : errors.check,
    latency: latency.check,
    throughput: throughput.check,
    sampleSize,
    duration,
    causes: proven.map(({ criterion, check, counts: numbers }) => ({
      criterion,
      message: `${check.message}: ${numbers}`,
    })),
  };
}

/** A queue with a job a minute never has a sample in five; then all jobs at this percentage are looked at. */
function basisOf(
  window: LanesTotals,
  evidence: Evidence | undefined,
  { requiredSampleSize }: RollbackThresholds,
): LanesTotals {
  const jobsInWindow = jobCount(window.canary);
  if (evidence === undefined || jobsInWindow >= requiredSampleSize) return window;
  return jobCount(evidence.seen.canary) > jobsInWindow ? evidence.seen : window;
}

function statusOf(
  { currentPercent }: Deployment,
  lanes: LanesTotals,
  hasSample: boolean,
  breached: number,
  proven: number,
): HealthStatus {
  if (!hasSample) return 'unknown';
  if (proven > 0) return 'failing';
  // At 100 % stable has no jobs, and the canary stands on its own.
  if (jobCount(lanes.stable) === 0 && currentPercent < 100) return 'unknown';
  return breached > 0 ? 'warning' : 'healthy';
}

function checkErrorRate(lanes: LanesTotals, thresholds: RollbackThresholds): Judged {
  const name = 'Error Rate';
  const { stable, canary } = lanes;
  const most = thresholds.maxErrorRateIncrease;
  const rate = errorRate(canary);
  const check =
    rate === null
      ? noData(name, 'Error rate', most)
      : compared(name, 'Error rate', rate - (errorRate(stable) ?? 0), most);
  return { check, criterion: 'error_rate', counts: failures(lanes) };
}

function checkSuccessRate(lanes: LanesTotals, { minSuccessRate: floor }: RollbackThresholds): Judged {
  const rate = errorRate(lanes.canary);
  const known = rate === null ? 'no data' : percent(100 - rate);
  const check = {
    name: 'Error Rate',
    passing: rate === null || 100 - rate >= floor,
    message: `Success rate: ${known} (minimum: ${percent(floor)})`,
  };
  return { check, criterion: 'success_rate', counts: failures(lanes) };
}

function checkLatency({ stable, canary }: LanesTotals, thresholds: RollbackThresholds): Judged {
  const name = 'P95 Latency';
  const most = thresholds.maxLatencyIncrease;
  const [before, after] = [latencyQuantile(stable, 0.95), latencyQuantile(canary, 0.95)];
  const counts = `p95 of ${milliseconds(after)} over ${jobs(canary)} on the canary, ${milliseconds(before)} over ${jobs(stable)} on stable`;
  const check =
    before === null || after === null
      ? noData(name, 'P95 latency', most)
      : compared(name, 'P95 latency', 100 * (atLeastTick(after) / atLeastTick(before) - 1), most);
  return { check, criterion: 'latency', counts };
}

/** There is no multiple of nothing: what is below the finest that is measured counts as that, milliseconds. */
function atLeastTick(ms: number): number {
  return Math.max(ms, 1 / 1024);
}

/** Jobs finished per job routed, so that a canary that gets a tenth of the jobs is not "90 % slower". */
function checkThroughput(completion: Completion | undefined, thresholds: RollbackThresholds): Judged {
  const name = 'Throughput';
  const most = thresholds.maxThroughputDecrease;
  const [before, after] = [ratioOf(completion?.stable), ratioOf(completion?.canary)];
  if (completion === undefined || before === null || after === null || before === 0) {
    return { check: noData(name, 'Throughput', most), criterion: 'throughput', counts: 'no data' };
  }
  const change = (100 * (after - before)) / before;
  const { stable, canary } = completion;
  return {
    check: { ...compared(name, 'Throughput', change, most), passing: -change <= most },
    criterion: 'throughput',
    counts: `${canary.done} of ${canary.due} jobs that should have ended have on the canary, ${stable.done} of ${stable.due} on stable`,
  };
}

function ratioOf(lane: LaneCompletion | undefined): number | null {
  return lane === undefined || lane.due === 0 ? null : lane.done / lane.due;
}

function checkSampleSize(
  { config: { rollbackThresholds, requiredKeys } }: Deployment,
  canary: LaneTotals,
  evidence: Evidence | undefined,
): HealthCheck {
  const { requiredSampleSize } = rollbackThresholds;
  // A job that should have ended and has not tells as much as one that has.
  const { due, done } = evidence?.completion.canary ?? { due: 0, done: 0 };
  const sample = jobCount(canary) + due - done;
  const message = `Sample size: ${sample} (required: ${requiredSampleSize})`;
  if (requiredKeys === 0) return { name: 'Sample Size', passing: sample >= requiredSampleSize, message };
  const keys = distinctKeyCount(evidence?.seen.canary.keys ?? canary.keys);
  return {
    name: 'Sample Size',
    passing: sample >= requiredSampleSize && keys >= requiredKeys,
    message: `${message}, about ${keys} distinct keys (required: ${requiredKeys})`,
  };
}

function checkDuration(ranMs: number, minimumMs: number): HealthCheck {
  const seconds = 1000 * Math.floor(ranMs / 1000);
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

function milliseconds(value: number | null): string {
  return value === null ? 'nothing known' : `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ms`;
}

function jobs(totals: LaneTotals): string {
  const count = jobCount(totals);
  return `${count} ${count === 1 ? 'job' : 'jobs'}`;
}

function failures({ stable, canary }: LanesTotals): string {
  const of = (lane: LaneTotals): string => `${errorCount(lane)} of ${jobs(lane)}`;
  return `${of(canary)} failed on the canary, ${of(stable)} on stable`;
}
