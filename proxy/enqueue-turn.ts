import type { LaneQueue } from '../src/core/lane-keys.ts';
import type { QueueJob } from '../src/core/queue-job.ts';
import { STEP_BYTES_MAX, type EnqueueResult, type LaneStore } from '../src/runtime/store/lane-store.ts';
import type { RouteHead } from '../src/runtime/store/store.ts';

/**
 * Jobs that come in the same turn of the event loop are stored by one call. Under load, when turns bring many, that
 * costs a fraction of a call a job; without load it costs no time, since a turn ends when there is nothing else to do.
 * Nobody waits for a call that is under way, and the jobs of a lane stay in the order in which they came.
 *
 * Only what succeeds or fails together anyway shares a call: the same queue, routed by the same head, and the same
 * lane, so that a broken key of one lane doesn't stop the other. What came as one is stored as one.
 */
export class EnqueueTurns {
  readonly #store: Pick<LaneStore, 'enqueueJobs'>;
  #calls = new Map<string, Call>();

  constructor(store: Pick<LaneStore, 'enqueueJobs'>) {
    this.#store = store;
  }

  /** All of the jobs or none, as `enqueueJobs`. */
  store(queue: LaneQueue, jobs: readonly QueueJob[], routedBy: RouteHead): Promise<EnqueueResult> {
    const bytes = jobs.reduce((sum, { body }) => sum + body.length, 0);
    const call = this.#callFor(queue, jobs, bytes, routedBy);
    const { promise, resolve, reject } = Promise.withResolvers<EnqueueResult>();
    call.parts.push({ from: call.jobs.length, to: call.jobs.length + jobs.length, resolve, reject });
    call.jobs.push(...jobs);
    call.bytes += bytes;
    return promise;
  }

  #callFor(queue: LaneQueue, jobs: readonly QueueJob[], bytes: number, routedBy: RouteHead): Call {
    const lane = jobs[0]?.lane;
    const lanes = jobs.every((job) => job.lane === lane) ? lane : 'both';
    const { epoch, revision } = routedBy;
    const key = `${queue.kind} ${queue.name} ${lanes} ${revision} ${epoch}`;
    const open = this.#calls.get(key);
    if (open !== undefined) {
      const fits = open.jobs.length + jobs.length <= CALL_JOBS_MAX && open.bytes + bytes <= STEP_BYTES_MAX;
      if (fits) return open;
      void this.#send(open);
    }
    if (this.#calls.size === 0) setImmediate(() => this.#endTurn());
    const call: Call = { queue, routedBy, jobs: [], parts: [], bytes: 0 };
    this.#calls.set(key, call);
    return call;
  }

  #endTurn(): void {
    const calls = this.#calls;
    this.#calls = new Map();
    for (const call of calls.values()) void this.#send(call);
  }

  async #send({ queue, routedBy, jobs, parts }: Call): Promise<void> {
    try {
      const result = await this.#store.enqueueJobs(queue, jobs, { routedBy });
      for (const { from, to, resolve } of parts)
        resolve(result.kind === 'stale' ? result : { kind: 'stored', jobs: result.jobs.slice(from, to) });
    } catch (error) {
      for (const { reject } of parts) reject(error);
    }
  }
}

/** What a call of the store is meant for. */
const CALL_JOBS_MAX = 1000;

interface Call {
  readonly queue: LaneQueue;
  readonly routedBy: RouteHead;
  readonly jobs: QueueJob[];
  readonly parts: Part[];
  bytes: number;
}

/** What came as one. */
interface Part {
  readonly from: number;
  readonly to: number;
  readonly resolve: (result: EnqueueResult) => void;
  readonly reject: (error: unknown) => void;
}
