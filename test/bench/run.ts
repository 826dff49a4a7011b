import type { Machine } from './machine.ts';
import type { Latencies, Usage } from './wrk.ts';

/** One run of `npm run bench` as it is written to a file. Figures are medians of the rounds. */
export interface BenchRun {
  readonly date: string;
  readonly version: string;
  readonly machine: Machine;
  readonly settings: Settings;
  readonly proxies: readonly ProxyRow[];
  /** What could not be measured, and why. */
  readonly missing: readonly string[];
  readonly axes: readonly Axis[];
  readonly decisions: readonly DecisionRow[];
  /** Nanoseconds of all that is counted of one dispatch. */
  readonly telemetryNs: number;
  /** Of Lanewise under the load of the first table: share of its CPU by where it is spent, percent. */
  readonly profile: readonly ProfileRow[];
}

export interface Settings {
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
  readonly bodyBytes: number;
}

export interface ProxyRow extends Usage {
  readonly name: string;
  readonly requestsPerSecond: number;
  /** At half of the requests per second. */
  readonly atHalf: Latencies;
}

/** The same load with one thing changed. */
export interface Axis {
  readonly title: string;
  /** What is changed, as the heading of its column. */
  readonly unit: string;
  readonly rows: readonly AxisRow[];
}

export interface AxisRow extends Usage {
  readonly name: string;
  readonly value: number;
  readonly requestsPerSecond: number;
}

export interface DecisionRow {
  readonly queues: number;
  readonly workersPerLane: number;
  readonly perSecond: number;
}

export interface ProfileRow {
  readonly part: string;
  readonly percent: number;
}

/** What the tables call it. */
export const OURS = 'Lanewise';

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
