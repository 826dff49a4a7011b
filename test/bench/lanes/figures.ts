/** What a run of `npm run bench:lanes` found, as it is kept in `docs/figures/lanes.json`. */

export interface Rate {
  readonly jobsPerSecond: number;
  /** Microseconds of CPU a job, by process. */
  readonly cpuPerJob: Readonly<Record<string, number>>;
}

export interface Latency {
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** Of one system, each the median of the rounds. */
export interface SystemFigures {
  readonly system: string;
  /** One by one over HTTP. */
  readonly accepted: Rate;
  readonly acceptedInBatches: Rate;
  readonly processed: Rate;
  /** From the producer's sending to the worker's receiving, where little is going on. */
  readonly latency: Latency;
}

export interface DrainFigures {
  readonly system: string;
  readonly drained: Rate;
}

export interface LaneFigures {
  readonly measuredAt: string;
  readonly machine: string;
  readonly rounds: number;
  readonly jobs: Readonly<Record<'accepted' | 'acceptedInBatches' | 'processed' | 'drained', number>>;
  readonly systems: readonly SystemFigures[];
  readonly drained: readonly DrainFigures[];
}
