import { DOCUMENTED_PROFILES, profileConfig } from '../../../config/profiles.ts';
import type { Deployment, RollbackThresholds } from '../../../src/core/deployment.ts';
import { evaluateHealth } from '../../../src/core/health.ts';
import { bucketIndex, BUCKETS, bucketStart, type Histogram } from '../../../src/core/histogram.ts';
import { gather, openEvidence } from '../../../src/core/judge/evidence.ts';
import { errorCount, jobCount, type LanesTotals, type LaneTotals } from '../../../src/core/lane-totals.ts';
import type { Tick } from './fleet.ts';

/** A way to judge a canary: asked at every tick whether to take it back now. */
export type Rule = (tick: Tick) => boolean;

export type ProfileName = keyof typeof DOCUMENTED_PROFILES;

export type RuleName = 'lanewise' | 'threshold' | 'z-test' | 'Mann-Whitney';

export const ALPHA = 0.05;

export function createRule(name: RuleName, deployment: Deployment, random: () => number): Rule {
  switch (name) {
    case 'lanewise':
      return sequential(deployment, random);
    case 'threshold':
      // Flagger: the query's value against the threshold, at each interval.
      return ({ window, at }) => {
        const plain = { ...deployment, config: { ...deployment.config, analysis: 'threshold' as const } };
        return evaluateHealth(plain, window, undefined, ALPHA, at).overallStatus === 'failing';
      };
    case 'z-test':
      return ({ totals }) => isBigEnough(totals, deployment) && zTest(totals, deployment);
    case 'Mann-Whitney':
      return mannWhitney(deployment);
    default:
      return name satisfies never;
  }
}

export function deploymentOf(
  profile: ProfileName,
  percentage: number,
  thresholds: Partial<RollbackThresholds> = {},
): Deployment {
  const config = profileConfig(DOCUMENTED_PROFILES[profile]);
  return {
    id: 'canary_lab',
    version: 1,
    queue: 'lab',
    stableVersion: 'v1',
    canaryVersion: 'v2',
    currentPercent: percentage,
    targetPercent: percentage,
    status: 'active',
    startTime: 0,
    lastUpdate: 0,
    step: 1,
    activeFrom: 0,
    stepFrom: 0,
    config: { ...config, rollbackThresholds: { ...config.rollbackThresholds, ...thresholds } },
  };
}

/** Ours. */
function sequential(deployment: Deployment, random: () => number): Rule {
  let evidence = openEvidence(1, 0);
  return ({ at, totals, window }) => {
    evidence = gather(evidence, { step: 1, totals, at, random }, deployment.config);
    return evaluateHealth(deployment, window, evidence, ALPHA, at).overallStatus === 'failing';
  };
}

function isBigEnough({ stable, canary }: LanesTotals, { config }: Deployment): boolean {
  const { requiredSampleSize } = config.rollbackThresholds;
  return jobCount(canary) >= requiredSampleSize && jobCount(stable) >= requiredSampleSize;
}

/** One-sided, at 5 %; of the two shares with the threshold between them, and of the share of slow jobs. */
function zTest({ stable, canary }: LanesTotals, { config }: Deployment): boolean {
  const { maxErrorRateIncrease, maxLatencyIncrease } = config.rollbackThresholds;
  const errors = z(
    errorCount(canary),
    jobCount(canary),
    errorCount(stable),
    jobCount(stable),
    maxErrorRateIncrease / 100,
  );
  const cut = p95(stable.latency);
  const slow = (lane: LaneTotals, ms: number): number => above(lane.latency, ms);
  const latency = z(
    slow(canary, cut * (1 + maxLatencyIncrease / 100)),
    canary.latency.count,
    slow(stable, cut),
    stable.latency.count,
    0,
  );
  return errors > 1.645 || latency > 1.645;
}

function z(hits: number, trials: number, baseHits: number, baseTrials: number, margin: number): number {
  const [p, q] = [hits / trials, baseHits / baseTrials];
  const variance = (p * (1 - p)) / trials + (q * (1 - q)) / baseTrials;
  return variance === 0 ? (p - q > margin ? Infinity : 0) : (p - q - margin) / Math.sqrt(variance);
}

/**
 * Kayenta: each metric is a series of points a minute, and the two series are compared by a Mann-Whitney test, again
 * on a window that grows. Points here are 10 s, so that it has a chance to be quick; the thresholds are its tolerance.
 */
function mannWhitney(deployment: Deployment): Rule {
  const { maxErrorRateIncrease, maxLatencyIncrease } = deployment.config.rollbackThresholds;
  const POINT_TICKS = 10;
  const points = { errors: [[], []] as [number[], number[]], latency: [[], []] as [number[], number[]] };
  let sums: LaneSums[] = [emptySums(), emptySums()];
  let ticks = 0;
  return ({ second, totals }) => {
    [second.stable, second.canary].forEach((lane, i) => addSums(sums[i]!, lane));
    if (++ticks % POINT_TICKS !== 0) return false;
    sums.forEach(({ jobs, failed, latency }, i) => {
      if (jobs === 0) return;
      points.errors[i]!.push((100 * failed) / jobs);
      points.latency[i]!.push(latency / jobs);
    });
    sums = [emptySums(), emptySums()];
    if (!isBigEnough(totals, deployment)) return false;
    const [stableErrors, canaryErrors] = points.errors;
    const [stableLatency, canaryLatency] = points.latency;
    return (
      isHigher(
        canaryErrors.map((rate) => rate - maxErrorRateIncrease),
        stableErrors,
      ) ||
      isHigher(
        canaryLatency.map((ms) => ms / (1 + maxLatencyIncrease / 100)),
        stableLatency,
      )
    );
  };
}

interface LaneSums {
  jobs: number;
  failed: number;
  latency: number;
}

function emptySums(): LaneSums {
  return { jobs: 0, failed: 0, latency: 0 };
}

function addSums(sums: LaneSums, lane: LaneTotals): void {
  sums.jobs += jobCount(lane);
  sums.failed += errorCount(lane);
  sums.latency += lane.latency.sum;
}

/** Mann-Whitney U, one-sided at 5 %, in its normal limit without correction for ties. */
function isHigher(a: readonly number[], b: readonly number[]): boolean {
  const [n, m] = [a.length, b.length];
  if (n < 4 || m < 4) return false;
  const sorted = b.toSorted((x, y) => x - y);
  const u = a.reduce((sum, value) => sum + (rank(sorted, value, false) + rank(sorted, value, true)) / 2, 0);
  return (u - (n * m) / 2) / Math.sqrt((n * m * (n + m + 1)) / 12) > 1.645;
}

/** How many of the sorted values are below, or also equal. */
function rank(sorted: readonly number[], value: number, equal: boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value || (equal && sorted[middle] === value)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function above(histogram: Histogram, ms: number): number {
  let count = 0;
  for (let i = bucketIndex(ms) + 1; i < BUCKETS; i++) count += histogram.counts[i]!;
  return count;
}

function p95(histogram: Histogram): number {
  let below = 0;
  for (let i = 0; i < BUCKETS; i++) {
    below += histogram.counts[i]!;
    if (below >= 0.95 * histogram.count) return bucketStart(i);
  }
  return 0;
}
