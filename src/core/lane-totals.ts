import { createDistinctKeys, mergeKeys, type DistinctKeys } from './distinct-keys.ts';
import { createHistogram, merge, quantile, type Histogram } from './histogram.ts';
import { LANES, type Lane } from './lane.ts';
import { OUTCOME_INDEX, OUTCOMES } from './outcome.ts';

/**
 * What became of the jobs of one lane over some time. Additive: totals of two proxies, or of two seconds, make the
 * totals of both, in whatever order.
 */
export interface LaneTotals {
  /** Jobs that were sent to a worker of the lane. */
  routed: number;
  /** Jobs that ended, by OUTCOME_INDEX. */
  readonly outcomes: number[];
  /** Of the jobs that failed on the canary, those that were tried on stable once. */
  retried: number;
  /** Of those, the ones that failed on stable too: not the canary's fault. */
  excused: number;
  /** Of all that ended but `aborted`. */
  readonly latency: Histogram;
  /** Of the jobs that were sent to a worker of the lane; none where they are not counted. */
  readonly keys: DistinctKeys;
}

export type LanesTotals = Readonly<Record<Lane, LaneTotals>>;

export function createLaneTotals(): LaneTotals {
  return {
    routed: 0,
    outcomes: OUTCOMES.map(() => 0),
    retried: 0,
    excused: 0,
    latency: createHistogram(),
    keys: createDistinctKeys(),
  };
}

export function createLanesTotals(): LanesTotals {
  return { stable: createLaneTotals(), canary: createLaneTotals() };
}

export function addLanes(into: LanesTotals, from: LanesTotals): void {
  for (const lane of LANES) {
    into[lane].routed += from[lane].routed;
    into[lane].retried += from[lane].retried;
    into[lane].excused += from[lane].excused;
    from[lane].outcomes.forEach((count, outcome) => (into[lane].outcomes[outcome]! += count));
    merge(into[lane].latency, from[lane].latency);
    mergeKeys(into[lane].keys, from[lane].keys);
  }
}

/** Everything that ended, but for what the client gave up: that says nothing about the worker. */
export function jobCount(totals: LaneTotals): number {
  return totals.outcomes.reduce((sum, count) => sum + count, 0) - totals.outcomes[OUTCOME_INDEX.aborted]!;
}

export function successCount(totals: LaneTotals): number {
  return totals.outcomes[OUTCOME_INDEX.success]!;
}

export function errorCount(totals: LaneTotals): number {
  return jobCount(totals) - successCount(totals);
}

/** Percent, null where nothing ended. */
export function errorRate(totals: LaneTotals): number | null {
  const jobs = jobCount(totals);
  return jobs === 0 ? null : (100 * errorCount(totals)) / jobs;
}

/** Jobs finished per job routed, null where none was routed. */
export function completionRatio(totals: LaneTotals): number | null {
  return totals.routed === 0
    ? null
    : (jobCount(totals) + totals.outcomes[OUTCOME_INDEX.aborted]!) / totals.routed;
}

/** Milliseconds, null where nothing ended. */
export function latencyQuantile(totals: LaneTotals, q: number): number | null {
  return quantile(totals.latency, q);
}
