import { retryLaneOf, type LaneSettings } from '../../config/lane-queues.ts';
import type { LaneQueue } from '../../src/core/lane-keys.ts';
import type { Lane } from '../../src/core/lane.ts';
import type { QueueJob } from '../../src/core/queue-job.ts';
import type { TakenJob } from '../../src/runtime/store/lane-store.ts';
import type { WorkerEndpoint } from '../endpoint.ts';
import { afterAttempt, countedAttempt, type AttemptEnd, type AttemptFacts } from './after-attempt.ts';
import { LaneDispatch, type EndedDispatch, type LaneDispatchContext } from './lane-dispatch.ts';
import type { Settling } from './settling.ts';

/**
 * Jobs in this proxy's hands, from their taking until the store is told what became of them:
 *
 *     taken → dispatched → settled (acknowledged, to be retried, dead)
 *        ↘ no place: waits for one a moment, then goes back
 */
export interface LaneJobsOptions extends LaneDispatchContext {
  readonly settingsOf: (queue: string) => LaneSettings;
  readonly settling: Settling;
  /** A job of the queue is due again after so long. */
  readonly onDelayed: (queue: LaneQueue, delayMs: number) => void;
}

/**
 * A job can be in hands without a place: its tenant's workers are full, or a lane that was empty got it while other lanes
 * filled the workers. Another proxy may be idle, so it is not kept.
 */
const HOLD_MS = 100;

export class LaneJobs {
  readonly #options: LaneJobsOptions;
  readonly #running = new Set<LaneDispatch>();
  readonly #stopping = new AbortController();
  #inHands = 0;
  #onEmpty: (() => void) | undefined;

  constructor(options: LaneJobsOptions) {
    this.#options = options;
  }

  /**
   * Those that have a place begin before it returns.
   * @param workers of the lane
   */
  begin(taken: readonly TakenJob[], workers: readonly WorkerEndpoint[]): void {
    for (const job of taken) void this.#run(job, workers);
  }

  /** What has not begun goes back; what runs may go on. Nothing must be begun after that. */
  stop(): void {
    this.#stopping.abort();
  }

  /** Resolves when all have ended; those that run when `deadline` aborts are ended, and tried again at once. */
  async drained(deadline: AbortSignal): Promise<void> {
    const abort = (): void => {
      for (const dispatch of this.#running) dispatch.abort();
    };
    if (deadline.aborted) abort();
    deadline.addEventListener('abort', abort, { once: true });
    if (this.#inHands > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve));
    deadline.removeEventListener('abort', abort);
  }

  async #run(taken: TakenJob, workers: readonly WorkerEndpoint[]): Promise<void> {
    this.#inHands++;
    try {
      await this.#handle(taken, workers);
    } finally {
      this.#inHands--;
      if (this.#inHands === 0) this.#onEmpty?.();
    }
  }

  async #handle(taken: TakenJob, workers: readonly WorkerEndpoint[]): Promise<void> {
    const { settingsOf, settling } = this.#options;
    const { content, queue } = taken;
    if (content.kind === 'unreadable') {
      settling.bury(taken, { reason: content.reason });
      return;
    }
    const { job } = content;
    const max = settingsOf(queue.name).max_attempts;
    if (countedAttempt(job) > max) {
      const reason = `it has had its ${max} attempts, the last of which did not end: its consumer died`;
      settling.bury(taken, { reason });
      return;
    }
    const { end, worker } = await this.#attempt(taken, job);
    if (end.kind === 'busy') {
      settling.giveBack([taken]);
      return;
    }
    const version = worker?.worker.version ?? '';
    this.#settle(taken, job, this.#orDelayed(end, workers), {
      now: this.#options.now(),
      version,
      ...(worker !== undefined && { worker: worker.worker.id }),
    });
  }

  /** @returns `busy` if there was no place for it */
  async #attempt(taken: TakenJob, job: QueueJob): Promise<EndedDispatch> {
    const { places } = this.#options;
    const first = await this.#dispatch(taken, job);
    if (first.end.kind !== 'busy') return first;
    const enough = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(HOLD_MS)]);
    for (let ended = first; ;) {
      if (ended.end.kind !== 'busy') return ended;
      const claim = await places.claim(ended.end.workers, 1, enough);
      claim.release();
      if (enough.aborted) return ended;
      ended = await this.#dispatch(taken, job);
    }
  }

  #dispatch({ queue, lane }: TakenJob, job: QueueJob): Promise<EndedDispatch> {
    const { promise, resolve } = Promise.withResolvers<EndedDispatch>();
    const dispatch = new LaneDispatch(this.#options, { job, queue: queue.name, lane }, (ended) => {
      this.#running.delete(dispatch);
      resolve(ended);
    });
    this.#running.add(dispatch);
    dispatch.start();
    return promise;
  }

  /**
   * While others of its lane take jobs, one that none of them may have would be back in a moment if it were given back,
   * in front of all that they could do.
   */
  #orDelayed(end: AttemptEnd, workers: readonly WorkerEndpoint[]): AttemptEnd {
    const { places } = this.#options;
    if (end.kind !== 'unreachable' || !workers.some((worker) => places.isReachable(worker))) return end;
    return { kind: 'nobody', message: 'no worker that may have it takes connections' };
  }

  #settle(taken: TakenJob, job: QueueJob, end: AttemptEnd, facts: AttemptFacts): void {
    const { settling, settingsOf, random, onDelayed } = this.#options;
    const settings = settingsOf(taken.queue.name);
    const decision = afterAttempt(end, job, facts, settings, random);
    switch (decision.kind) {
      case 'acknowledge':
        settling.acknowledge(taken);
        break;
      case 'give_back':
        settling.giveBack([taken]);
        break;
      case 'retry': {
        const { delayMs, ended } = decision;
        settling.retry(taken, { delayMs, ended, lane: this.#retryLane(taken, job, settings) });
        onDelayed(taken.queue, delayMs);
        break;
      }
      case 'bury':
        settling.bury(taken, { reason: decision.reason, ended: decision.ended });
        break;
      default:
        decision satisfies never;
    }
  }

  /** By the route as it is now: nothing goes back to the lane of a deployment that has ended while the job ran. */
  #retryLane({ queue, lane }: TakenJob, job: QueueJob, settings: LaneSettings): Lane {
    const route = this.#options.table.routeFor(queue.name, job.tenant);
    const isOver = route?.deploymentId === undefined && route?.canary.endpoints.length === 0;
    return isOver ? 'stable' : retryLaneOf(settings, lane);
  }
}
