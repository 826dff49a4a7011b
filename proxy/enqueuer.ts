import { LanewiseError } from '../src/core/errors.ts';
import type { RoutingStrategy } from '../src/core/deployment.ts';
import type { Lane } from '../src/core/lane.ts';
import type { EnqueueResult, LaneStore } from '../src/runtime/store/lane-store.ts';
import { catchUp } from './catch-up.ts';
import { notConfirmed, notStored, outpaced } from './dispatch-errors.ts';
import type { JobDraft } from './enqueue-draft.ts';
import { jobOf, planEnqueue, strategyFor, type EnqueuePlan, type LaneRoutes } from './enqueue-plan.ts';
import { EnqueueTurns } from './enqueue-turn.ts';
import { countEnqueued, type DispatchTelemetry } from './telemetry.ts';

/**
 * Puts jobs into the lanes that the routes say. Where the store knows of newer routes (a fence stands against those at
 * hand) they are read and the jobs routed again; so after an acknowledged roll-back nothing more gets into the canary's
 * lane, however far behind this proxy is.
 */
export interface EnqueuerOptions {
  readonly store: Pick<LaneStore, 'enqueueJobs' | 'fenceQueue'>;
  readonly routes: LaneRoutes;
  /** See `RouteFollower.refresh`. */
  readonly refreshRoutes: () => Promise<boolean>;
  readonly telemetry: DispatchTelemetry;
  readonly now: () => number;
  readonly random: () => number;
}

export interface Enqueued {
  readonly strategy: RoutingStrategy;
  /** In the order of the drafts. */
  readonly jobs: readonly EnqueuedDraft[];
}

export interface EnqueuedDraft {
  readonly id: string;
  /** The one that the job went to: where it is a duplicate, the first time. */
  readonly lane: Lane;
  /** The lane's, as it is now; empty where no deployment has named one. */
  readonly version: string;
  readonly deploymentId: string | undefined;
  readonly duplicate: boolean;
}

/** Routes that move on between three reads and three calls, a millisecond each, are not what is wrong. */
const ROUTINGS_MAX = 3;

export class Enqueuer {
  readonly #options: EnqueuerOptions;
  readonly #turns: EnqueueTurns;

  constructor(options: EnqueuerOptions) {
    this.#options = options;
    this.#turns = new EnqueueTurns(options.store);
  }

  /** Undefined for a queue that nobody knows. */
  strategyFor(queue: string, tenant: string | undefined): RoutingStrategy | undefined {
    return strategyFor(this.#options.routes, queue, tenant);
  }

  /**
   * Stores all of the jobs, or none.
   * @throws LanewiseError, `QUEUE_UNAVAILABLE` where the store is to blame
   */
  async enqueue(queue: string, drafts: readonly JobDraft[], isBatch: boolean): Promise<Enqueued> {
    const { routes, random } = this.#options;
    for (let routing = 1; ; routing++) {
      const plan = planEnqueue(routes, queue, drafts, isBatch, random);
      const result = await this.#store(plan);
      if (result.kind === 'stored') return this.#enqueued(plan, result);
      if (routing === ROUTINGS_MAX) {
        this.#countFailed(plan);
        throw outpaced(queue);
      }
      await catchUp(
        this.#options,
        plan.queue,
        plan.routedBy,
        drafts.map(({ tenant }) => tenant),
      );
    }
  }

  async #store(plan: EnqueuePlan): Promise<EnqueueResult> {
    const enqueuedAt = this.#options.now();
    const jobs = plan.jobs.map((planned) => jobOf(planned, enqueuedAt));
    try {
      return await this.#turns.store(plan.queue, jobs, plan.routedBy);
    } catch (error) {
      this.#countFailed(plan);
      if (!(error instanceof LanewiseError)) throw error;
      throw error.code === 'QUEUE_UNAVAILABLE' ? notStored(error) : notConfirmed(error.message, error);
    }
  }

  #enqueued(
    { queue, strategy, jobs: planned }: EnqueuePlan,
    { jobs }: EnqueueResult & { kind: 'stored' },
  ): Enqueued {
    const counts = this.#options.telemetry.countsOf(queue.name);
    return {
      strategy,
      jobs: planned.map(({ draft, versions, deploymentId }, i) => {
        const { lane, kind } = jobs[i]!;
        const duplicate = kind === 'known';
        countEnqueued(counts, `${lane} ${duplicate ? 'duplicate' : 'stored'}`);
        return { id: draft.id, lane, version: versions[lane], deploymentId, duplicate };
      }),
    };
  }

  #countFailed({ queue, jobs }: EnqueuePlan): void {
    const counts = this.#options.telemetry.countsOf(queue.name);
    for (const { lane } of jobs) countEnqueued(counts, `${lane} failed`);
  }
}
