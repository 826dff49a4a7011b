import { bucketIndex, bucketStart, countBelow, quantile, type Histogram } from '../histogram.ts';
import {
  createLanesTotals,
  errorCount,
  jobCount,
  type LanesTotals,
  type LaneTotals,
} from '../lane-totals.ts';
import { OUTCOME_INDEX } from '../outcome.ts';
import type { DeploymentConfig } from '../deployment.ts';
import { completionOf, extended, type Completion, type RoutedAt } from './completion.ts';
import { logEvidenceAbove } from './one-sample.ts';
import { logEvidence, nextStep, observe, openTwoSample, type Trials, type TwoSample } from './two-sample.ts';

/**
 * What speaks against a canary, gathered look by look from the totals of its jobs. Four criteria, each a sequential
 * test of its own:
 *
 * - `error_rate`: its jobs fail more often than stable's, by more than the allowed points (`two-sample.ts`).
 * - `latency`: a greater share of its jobs is slower than the allowed multiple of stable's p95 than of stable's jobs is
 *   slower than the p95 itself. That share is about 5 %, but it is counted and not assumed: how little is known of
 *   stable's p95 thereby counts too. A canary that is slower by exactly the allowed factor is on the border.
 * - `success_rate`: its jobs fail more often than the floor allows, whatever stable does. Jobs under way count as
 *   successes (`one-sample.ts` says why that is safe).
 * - `throughput`: more of its jobs are unfinished than may be. Only jobs that are older than what stable needs are
 *   looked at (`completion.ts`).
 *
 * Evidence is kept per percentage step, since a step changes the mix of jobs: a new one starts with new estimates, but
 * with the wealth of the ones before, so `alpha` is spent once for the whole deployment and not once a step.
 *
 * What it assumes: given the lane, jobs fail or are slow independently of each other. Jobs of one sticky key may not
 * be independent: if one customer's jobs all fail and that customer happens to be in the canary, the canary looks
 * bad. `required_distinct_keys` and `retry_on_stable` are the answers to that; see `docs/judge.md`.
 *
 * Blame by retry is a selection: a job is tried on stable only because it failed on the canary. Failing on both excuses
 * the canary, but stable also fails by itself now and then, so some of the canary's own failures are excused by chance,
 * about as many of the retried ones as stable fails of its own jobs. That part of them can't be seen, so the canary is
 * held to the part that can: its exposure is scaled by `1 - retried share * stable's error share`.
 */
export interface Evidence {
  readonly step: number;
  readonly errorRate: TwoSample;
  readonly latency: TwoSample;
  /** Natural logarithms: of the steps before, and of this one. */
  readonly successRate: OneSample;
  readonly throughput: OneSample;
  /** How long stable's jobs may take, longest so far; null until enough of them have ended. Milliseconds. */
  readonly patienceMs: number | null;
  /** How many jobs had been routed when, oldest first. */
  readonly routed: readonly RoutedAt[];
  readonly completion: Completion;
  /** Totals of the step up to which the two-sample tests have looked. */
  readonly seen: LanesTotals;
  /** When that was, milliseconds by the store's clock. */
  readonly at: number;
}

interface OneSample {
  readonly carried: number;
  readonly now: number;
}

export const CRITERIA = ['error_rate', 'latency', 'success_rate', 'throughput'] as const;
export type Criterion = (typeof CRITERIA)[number];

/** How `alpha` is shared. Most regressions are errors, and their criterion is the hardest to satisfy. */
const ALPHA_SHARES: Readonly<Record<Criterion, number>> = {
  error_rate: 0.7,
  latency: 0.15,
  success_rate: 0.1,
  throughput: 0.05,
};

export type GatherConfig = Pick<DeploymentConfig, 'rollbackThresholds' | 'metricsWindowMs'>;

/** What a look takes from outside. */
export interface Look {
  readonly step: number;
  /** Of the step, since its beginning. */
  readonly totals: LanesTotals;
  /** Milliseconds, by the clock that all looks share. */
  readonly at: number;
  readonly random: () => number;
}

/** Fewer of stable's latencies say nothing of its p95. */
const LATENCIES_MIN = 20;

export function openEvidence(step: number, at: number): Evidence {
  return {
    step,
    errorRate: openTwoSample(),
    latency: openTwoSample(),
    successRate: { carried: 0, now: 0 },
    throughput: { carried: 0, now: 0 },
    patienceMs: null,
    routed: [],
    completion: completionOf([], createLanesTotals(), at, null),
    seen: createLanesTotals(),
    at,
  };
}

/** Natural logarithm of what speaks against the canary by a criterion. */
export function logEvidenceOf(evidence: Evidence, criterion: Criterion): number {
  switch (criterion) {
    case 'error_rate':
      return logEvidence(evidence.errorRate);
    case 'latency':
      return logEvidence(evidence.latency);
    case 'success_rate':
      return evidence.successRate.carried + evidence.successRate.now;
    case 'throughput':
      return evidence.throughput.carried + evidence.throughput.now;
    default:
      return criterion satisfies never;
  }
}

/** What the evidence of a criterion must reach, as a factor. */
export function requiredEvidence(criterion: Criterion, alpha: number): number {
  return 1 / (alpha * ALPHA_SHARES[criterion]);
}

export function isProven(evidence: Evidence, criterion: Criterion, alpha: number): boolean {
  return logEvidenceOf(evidence, criterion) >= Math.log(requiredEvidence(criterion, alpha));
}

/** One look at what became of the jobs. */
export function gather(before: Evidence, look: Look, config: GatherConfig): Evidence {
  const evidence = before.step === look.step ? before : atNextStep(before, look);
  // A store that has lost its counts starts again from less; there is no telling what came in between.
  if (hasGoneBack(evidence.seen, look.totals)) return restarted(evidence, look);
  const { stable, canary } = look.totals;
  const { rollbackThresholds: thresholds } = config;

  const patienceMs = patienceOf(evidence.patienceMs, stable.latency, thresholds.maxLatencyIncrease);
  const routed = extended(evidence.routed, { at: look.at, ...routedOf(look.totals) }, patienceMs);
  const completion = completionOf(routed, look.totals, look.at, patienceMs);
  const unfinishedMost =
    1 -
    (1 - thresholds.maxThroughputDecrease / 100) * (stable.routed > 0 ? finished(stable) / stable.routed : 0);
  const { due, done } = completion.canary;
  return {
    ...compared(evidence, look, config),
    successRate: {
      ...evidence.successRate,
      now: logEvidenceAbove(1 - thresholds.minSuccessRate / 100, canary.routed, blamed(canary)),
    },
    throughput: { ...evidence.throughput, now: logEvidenceAbove(unfinishedMost, due, due - done) },
    patienceMs,
    routed,
    completion,
  };
}

/** The two tests that compare. They wait until both lanes have something new. */
function compared(evidence: Evidence, look: Look, config: GatherConfig): Evidence {
  const { stable, canary } = increments(evidence.seen, look.totals, exposure);
  if (stable.trials === 0 || canary.trials === 0) return evidence;
  const { rollbackThresholds: thresholds } = config;
  const bet = {
    // What is older than the window counts half.
    memory: 2 ** (-Math.max(0, look.at - evidence.at) / config.metricsWindowMs),
    random: look.random,
  };
  const cuts = latencyCuts(evidence.seen.stable.latency, thresholds.maxLatencyIncrease);
  return {
    ...evidence,
    errorRate: observe(
      evidence.errorRate,
      { stable, canary },
      {
        ...bet,
        margin: thresholds.maxErrorRateIncrease / 100,
        visible: 1 - retriedShare(evidence.seen.canary) * errorShare(evidence.seen.stable),
      },
    ),
    latency:
      cuts === undefined
        ? evidence.latency
        : observe(evidence.latency, slowJobs(evidence.seen, look.totals, cuts), {
            ...bet,
            margin: 0,
            visible: 1,
          }),
    seen: look.totals,
    at: look.at,
  };
}

type LaneTrials = (totals: LaneTotals) => Trials;

function increments(before: LanesTotals, after: LanesTotals, trialsOf: LaneTrials) {
  const stable = difference(finishedTrials(before.stable), finishedTrials(after.stable));
  return { stable, canary: difference(trialsOf(before.canary), trialsOf(after.canary)) };
}

/** A canary job is a trial as soon as it is routed. */
const exposure: LaneTrials = (totals) => ({
  // What the client gave up is no trial.
  trials: totals.routed - totals.outcomes[OUTCOME_INDEX.aborted]!,
  hits: blamed(totals),
});

const finishedTrials: LaneTrials = (totals) => ({ trials: jobCount(totals), hits: errorCount(totals) });

/** Failures but for those that are the job's own fault. */
function blamed(totals: LaneTotals): number {
  return Math.max(0, errorCount(totals) - totals.excused);
}

function difference(before: Trials, after: Trials): Trials {
  const hits = Math.max(0, after.hits - before.hits);
  // Jobs that were routed before the last look may end now, when fewer are routed.
  return { trials: Math.max(hits, after.trials - before.trials), hits };
}

/**
 * Where a job is slow: in stable above its p95, as far as it is known before this look; in the canary above the
 * allowed multiple of that. Both on bounds of the histogram's buckets, rounded in the canary's favour.
 */
interface Cuts {
  readonly stableMs: number;
  readonly canaryMs: number;
}

function latencyCuts(stable: Histogram, increasePercent: number): Cuts | undefined {
  const p95 = stable.count < LATENCIES_MIN ? null : quantile(stable, 0.95);
  if (p95 === null) return undefined;
  // The bucket that holds the p95 may hold all of stable's jobs; those in it are not slow.
  const stableMs = bucketStart(bucketIndex(p95) + 1);
  const allowedMs = stableMs * (1 + increasePercent / 100);
  const index = bucketIndex(allowedMs);
  return { stableMs, canaryMs: bucketStart(index) === allowedMs ? allowedMs : bucketStart(index + 1) };
}

function slowJobs(before: LanesTotals, after: LanesTotals, { stableMs, canaryMs }: Cuts) {
  const slow = (lane: 'stable' | 'canary', cut: number): Trials => {
    const [a, b] = [before[lane].latency, after[lane].latency];
    return { trials: b.count - a.count, hits: b.count - countBelow(b, cut) - (a.count - countBelow(a, cut)) };
  };
  return { stable: slow('stable', stableMs), canary: slow('canary', canaryMs) };
}

/** Deltas of proxies come once a second, and a look may come just before one. */
const REPORTING_MS = 2000;

/** What nearly all of stable's jobs need, times what the canary may need more. It never shrinks within a step. */
function patienceOf(before: number | null, stable: Histogram, increasePercent: number): number | null {
  const p99 = stable.count < LATENCIES_MIN ? null : quantile(stable, 0.99);
  if (p99 === null) return before;
  return Math.max(before ?? 0, p99 * (1 + increasePercent / 100) + REPORTING_MS);
}

function atNextStep(evidence: Evidence, { step, at }: Look): Evidence {
  return {
    ...openEvidence(step, at),
    errorRate: nextStep(evidence.errorRate),
    latency: nextStep(evidence.latency),
    successRate: carriedOn(evidence.successRate),
    throughput: carriedOn(evidence.throughput),
  };
}

function carriedOn({ carried, now }: OneSample): OneSample {
  return { carried: carried + now, now: 0 };
}

function restarted(evidence: Evidence, { totals, at }: Look): Evidence {
  return { ...evidence, seen: totals, at, routed: [], patienceMs: null };
}

function hasGoneBack(before: LanesTotals, after: LanesTotals): boolean {
  return (['stable', 'canary'] as const).some(
    (lane) =>
      after[lane].routed < before[lane].routed ||
      after[lane].latency.count < before[lane].latency.count ||
      after[lane].outcomes.some((count, i) => count < before[lane].outcomes[i]!),
  );
}

function routedOf({ stable, canary }: LanesTotals) {
  return { stable: stable.routed, canary: canary.routed };
}

function finished(totals: LaneTotals): number {
  return totals.outcomes.reduce((sum, count) => sum + count, 0);
}

function retriedShare(totals: LaneTotals): number {
  const failures = errorCount(totals);
  return failures === 0 ? 0 : Math.min(1, totals.retried / failures);
}

function errorShare(totals: LaneTotals): number {
  const jobs = jobCount(totals);
  return jobs === 0 ? 0 : errorCount(totals) / jobs;
}
