import { createHistogram, record, type Histogram } from '../src/core/histogram.ts';
import { createLanesTotals, type LanesTotals } from '../src/core/lane-totals.ts';
import type { Lane } from '../src/core/lane.ts';
import { OUTCOME_INDEX, OUTCOMES, type Outcome } from '../src/core/outcome.ts';
import type { ErrorCode } from '../src/core/errors.ts';

/**
 * What the dispatches add to: plain numbers, one series for each queue, tenant scope, lane and version. Everything
 * else (Prometheus, the judge's windows) is made from these on demand.
 */
export interface Series {
  readonly queue: string;
  readonly tenant: string | undefined;
  readonly lane: Lane;
  readonly version: string;
  /** By OUTCOME_INDEX. */
  readonly outcomes: Float64Array;
  /**
   * Milliseconds to the end of the answer, from the dispatch's arrival or, if the job had failed on the canary, from
   * the start of its retry; of all outcomes but `aborted`.
   */
  readonly latency: Histogram;
  inFlight: number;
}

export interface QueueCounts {
  fallbacks: number;
  spills: number;
  /** Jobs that failed on the canary and were tried on stable, by how that ended. */
  readonly retries: Map<Outcome, number>;
  /** Answers that the proxy made itself, by code. */
  readonly errors: Map<ErrorCode, number>;
  /** Jobs put into a lane, or not; `routed` are those of an intake, and `unreadable` those that went to stable for that. */
  readonly enqueued: Map<EnqueueMark, number>;
}

export type EnqueueMark = `${Lane} ${'stored' | 'duplicate' | 'failed' | 'routed' | 'unreadable'}`;

export interface StepDelta {
  readonly deploymentId: string;
  readonly step: number;
  readonly totals: LanesTotals;
}

/** What is not a queue that anybody serves is counted under this name, since clients choose names. */
export const UNKNOWN_QUEUE = '';

/** Label sets of one proxy. Versions come and go with releases; the oldest series make room. */
const SERIES_MAX = 20_000;

export class DispatchTelemetry {
  readonly #series = new Map<string, Series>();
  readonly #queues = new Map<string, QueueCounts>();
  #recent = new Map<string, Map<number, LanesTotals>>();

  seriesOf(queue: string, tenant: string | undefined, lane: Lane, version: string): Series {
    // Names hold no control characters, so the key is unambiguous.
    const key = `${queue}\n${tenant ?? ''}\n${lane}\n${version}`;
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (this.#series.size >= SERIES_MAX) this.#dropOldestIdle();
    const series: Series = {
      queue,
      tenant,
      lane,
      version,
      outcomes: new Float64Array(OUTCOMES.length),
      latency: createHistogram(),
      inFlight: 0,
    };
    this.#series.set(key, series);
    // Its counters are to be seen from the first job on, at 0.
    this.countsOf(queue);
    return series;
  }

  countsOf(queue: string): QueueCounts {
    let counts = this.#queues.get(queue);
    if (counts === undefined) {
      counts = { fallbacks: 0, spills: 0, retries: new Map(), errors: new Map(), enqueued: new Map() };
      this.#queues.set(queue, counts);
    }
    return counts;
  }

  /** What the dispatches of a step of an open deployment added up to since it was last taken. */
  recentOf(deploymentId: string, step: number): LanesTotals {
    let steps = this.#recent.get(deploymentId);
    if (steps === undefined) this.#recent.set(deploymentId, (steps = new Map()));
    let totals = steps.get(step);
    if (totals === undefined) steps.set(step, (totals = createLanesTotals()));
    return totals;
  }

  takeRecent(): readonly StepDelta[] {
    const recent = this.#recent;
    this.#recent = new Map();
    return Array.from(recent, ([deploymentId, steps]) =>
      Array.from(steps, ([step, totals]) => ({ deploymentId, step, totals })),
    ).flat();
  }

  get series(): Iterable<Series> {
    return this.#series.values();
  }

  get queues(): Iterable<readonly [string, QueueCounts]> {
    return this.#queues.entries();
  }

  #dropOldestIdle(): void {
    for (const [key, series] of this.#series) {
      if (series.inFlight > 0) continue;
      this.#series.delete(key);
      return;
    }
  }
}

interface Counts {
  readonly outcomes: Float64Array | number[];
  readonly latency: Histogram;
}

export function countOutcome({ outcomes, latency }: Counts, outcome: Outcome, latencyMs: number): void {
  outcomes[OUTCOME_INDEX[outcome]]! += 1;
  if (outcome !== 'aborted') record(latency, latencyMs);
}

export function countRetry(counts: QueueCounts, outcome: Outcome): void {
  counts.retries.set(outcome, (counts.retries.get(outcome) ?? 0) + 1);
}

export function countError(counts: QueueCounts, code: ErrorCode): void {
  counts.errors.set(code, (counts.errors.get(code) ?? 0) + 1);
}

export function countEnqueued(counts: QueueCounts, mark: EnqueueMark): void {
  counts.enqueued.set(mark, (counts.enqueued.get(mark) ?? 0) + 1);
}
