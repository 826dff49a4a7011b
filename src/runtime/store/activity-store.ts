import type { WorkerActivity } from '../../core/worker-life.ts';

/**
 * What the proxies see of the workers. Apart from the registry's records, since it is written all the time, by many,
 * and must neither contend with an operator's change nor be one.
 */
export interface ActivityStore {
  /** Adds up; each worker named was seen just now. Of workers that are not registered it is ignored. */
  noteActivity(sightings: readonly WorkerSighting[]): Promise<void>;
  /** By worker id. @param ids of those who are asked for; all of them if left out */
  listActivity(ids?: readonly string[]): Promise<ReadonlyMap<string, WorkerActivity>>;
}

/** Since the last one. A worker that was merely seen has processed nothing. */
export interface WorkerSighting {
  readonly workerId: string;
  readonly version: string;
  readonly processed: number;
  readonly succeeded: number;
  readonly failed: number;
  /** Milliseconds. */
  readonly totalMs: number;
}
