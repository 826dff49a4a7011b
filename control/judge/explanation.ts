import type { HealthReport } from '../../src/core/health.ts';
import { CRITERIA, logEvidenceOf, type Criterion, type Evidence } from '../../src/core/judge/evidence.ts';
import type { CheckName } from '../../src/core/judge/judgement.ts';
import { errorCount, jobCount, latencyQuantile, type LaneTotals } from '../../src/core/lane-totals.ts';

/** What a decision was made from, so that it can be explained afterwards: goes along with its event. */
export function explain(health: HealthReport, evidence: Evidence): Readonly<Record<string, unknown>> {
  return {
    checks: {
      error_rate: health.errorRate.message,
      latency: health.latency.message,
      throughput: health.throughput.message,
      sample_size: health.sampleSize.message,
      duration: health.duration.message,
    },
    evidence: Object.fromEntries(CRITERIA.map((criterion) => [criterion, evidenceOf(evidence, criterion)])),
    stable: numbersOf(evidence.seen.stable),
    canary: numbersOf(evidence.seen.canary),
  };
}

export function checksOf(health: HealthReport): Readonly<Record<CheckName, boolean>> {
  return {
    error_rate: health.errorRate.passing,
    latency: health.latency.passing,
    throughput: health.throughput.passing,
    sample_size: health.sampleSize.passing,
    duration: health.duration.passing,
  };
}

/** More than that is certainty, and JSON has no infinity. */
const EVIDENCE_MAX = 1e12;

/** How many times likelier the jobs are with the criterion breached than within it, three digits. */
export function evidenceOf(evidence: Evidence, criterion: Criterion): number {
  const factor = Math.min(EVIDENCE_MAX, Math.exp(Math.min(700, logEvidenceOf(evidence, criterion))));
  return Number(factor.toPrecision(3));
}

function numbersOf(lane: LaneTotals) {
  return {
    routed: lane.routed,
    finished: jobCount(lane),
    failed: errorCount(lane),
    p95_latency: latencyQuantile(lane, 0.95),
  };
}
