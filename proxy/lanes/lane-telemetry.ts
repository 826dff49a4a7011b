import type { Registry } from 'prom-client';
import { countBelow, createHistogram, record, type Histogram } from '../../src/core/histogram.ts';
import { LANES, type Lane } from '../../src/core/lane.ts';
import { computedCounter, computedHistogram } from '../../src/runtime/metrics/computed.ts';

/** What is counted of jobs from lanes beyond what is counted of every dispatch: plain numbers, as there. */
export interface LaneCounters {
  buried: number;
  /** Done here after the lease had run out. */
  lost: number;
  /** Milliseconds from the enqueuing to the first dispatch, by the lane that the job lay in. */
  readonly age: Readonly<Record<Lane, Histogram>>;
}

/** Only queues that are served here, so their number is bounded by the routes. */
export class LaneTelemetry {
  readonly #queues = new Map<string, LaneCounters>();

  countersOf(queue: string): LaneCounters {
    let counters = this.#queues.get(queue);
    if (counters === undefined) {
      counters = { buried: 0, lost: 0, age: { stable: createHistogram(), canary: createHistogram() } };
      this.#queues.set(queue, counters);
    }
    return counters;
  }

  /** Clocks of two machines may disagree by a little. */
  noteAge(queue: string, lane: Lane, ageMs: number): void {
    record(this.countersOf(queue).age[lane], Math.max(0, ageMs));
  }

  get queues(): Iterable<readonly [string, LaneCounters]> {
    return this.#queues.entries();
  }
}

/** 1 ms to 70 minutes by powers of four: bounds of the internal histogram, so the counts are exact. */
const AGE_BOUNDS_MS = Array.from({ length: 12 }, (_, i) => 4 ** i);

export function registerLaneMetrics(registry: Registry, telemetry: LaneTelemetry): void {
  computedHistogram(
    registry,
    'canary_job_queue_age_seconds',
    'From the enqueuing of a job to its first dispatch.',
    AGE_BOUNDS_MS.map((ms) => ms / 1000),
    () =>
      [...telemetry.queues].flatMap(([queue, { age }]) =>
        LANES.map((lane) => ({
          labels: { queue, lane },
          cumulative: AGE_BOUNDS_MS.map((ms) => countBelow(age[lane], ms)),
          sum: age[lane].sum / 1000,
          count: age[lane].count,
        })),
      ),
  );
  computedCounter(
    registry,
    'canary_jobs_buried_total',
    'Jobs that were put aside as dead: out of attempts, or not to be read or sent.',
    () => [...telemetry.queues].map(([queue, { buried }]) => ({ labels: { queue }, value: buried })),
  );
  computedCounter(
    registry,
    'canary_jobs_lost_total',
    'Jobs that were done here after the lease had run out, so that another consumer has had them too.',
    () => [...telemetry.queues].map(([queue, { lost }]) => ({ labels: { queue }, value: lost })),
  );
}
