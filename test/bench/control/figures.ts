/** What a run of `npm run bench:control` found, as it is kept in `docs/figures/control-plane.json`. */

export interface Times {
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** By the second. */
export interface Load {
  /** Commands of Redis, those within scripts included. */
  readonly commands: number;
  readonly bytesOut: number;
  /** Milliseconds of CPU. */
  readonly redisCpu: number;
  readonly controlCpu: number;
}

export interface FleetFigures {
  readonly deployments: number;
  readonly active: number;
  readonly workers: number;
  readonly proxies: number;
  /** Calls of the API, by their name. */
  readonly calls: Readonly<Record<string, Times>>;
  /** From the sending of a change of percentage until all proxies have applied it. */
  readonly propagation: Times;
  /** Answers to changes which said that all proxies had applied them; the others had waited for a second. */
  readonly acknowledged: { readonly complete: number; readonly all: number };
  /** Answers that Redis was away. */
  readonly unavailable: number;
  /** Commands of Redis for a change of percentage, the reports of all proxies included. */
  readonly commandsPerChange: number;
  readonly atRest: Load;
  readonly underChanges: Load & { readonly changes: number };
  /** A proxy that starts: what it reads, and the CPU to read and compile it, in milliseconds. */
  readonly start: { readonly bytes: number; readonly cpu: number };
}

export interface ControlFigures {
  readonly measuredAt: string;
  readonly machine: string;
  readonly fleets: readonly FleetFigures[];
}
