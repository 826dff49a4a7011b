import type { DeploymentMetrics, MetricsSnapshot } from '../../../src/client/api-types.ts';
import { count, milliseconds, percent, perSecond, signed, UNKNOWN } from './format.ts';

/** Stable and canary side by side, and what differs. */
export interface ComparisonRow {
  readonly name: string;
  readonly stable: string;
  readonly canary: string;
  readonly difference: string;
  /** Whether the canary is better or worse; undefined where a difference is neither, or too small to mean anything. */
  readonly verdict: 'better' | 'worse' | undefined;
}

type Value = number | null;

interface Measured {
  readonly name: string;
  readonly of: (snapshot: MetricsSnapshot) => Value;
  readonly format: (value: Value) => string;
  /** `points`: of percent; `relative`: to stable; left out where the lanes are not expected to be alike. */
  readonly difference?: 'points' | 'relative';
  /** A smaller difference is noise to the eye. */
  readonly noise?: number;
}

const MEASURES: readonly Measured[] = [
  { name: 'Jobs in the window', of: (s) => s.job_count, format: count },
  { name: 'Throughput', of: (s) => s.jobs_per_second, format: perSecond },
  { name: 'Error rate', of: (s) => s.error_rate, format: percent, difference: 'points', noise: 0.5 },
  { name: 'Latency p50', of: (s) => s.p50_latency, format: milliseconds, difference: 'relative', noise: 5 },
  { name: 'Latency p95', of: (s) => s.p95_latency, format: milliseconds, difference: 'relative', noise: 5 },
  { name: 'Latency p99', of: (s) => s.p99_latency, format: milliseconds, difference: 'relative', noise: 10 },
  { name: 'Queue depth', of: (s) => s.queue_depth, format: count },
  { name: 'Workers', of: (s) => s.worker_count, format: count },
];

export function comparisonOf({ stable, canary }: DeploymentMetrics): readonly ComparisonRow[] {
  return MEASURES.map((measure) => {
    const [a, b] = [measure.of(stable), measure.of(canary)];
    return {
      name: measure.name,
      stable: measure.format(a),
      canary: measure.format(b),
      ...differenceOf(measure, a, b),
    };
  });
}

function differenceOf({ difference, noise = 0 }: Measured, stable: Value, canary: Value) {
  if (difference === undefined) return { difference: '', verdict: undefined };
  if (stable === null || canary === null || (difference === 'relative' && stable === 0)) {
    return { difference: UNKNOWN, verdict: undefined };
  }
  const value = difference === 'points' ? canary - stable : (100 * (canary - stable)) / stable;
  const size = Math.round(Math.abs(value) * 10) / 10;
  const unit = difference === 'points' ? 'pts' : '%';
  const verdict = size < noise ? undefined : value > 0 ? ('worse' as const) : ('better' as const);
  return { difference: signed(`${size}\u202f${unit}`, size === 0 ? 0 : value), verdict };
}
