import type { LaneQueue } from '../../src/core/lane-keys.ts';
import type { Logger } from '../../src/runtime/log.ts';
import { pause } from '../../src/runtime/periodic.ts';
import type { IntakeStore } from '../../src/runtime/store/intake-store.ts';
import { catchUp, type CatchUpContext } from '../catch-up.ts';
import { countEnqueued, type DispatchTelemetry } from '../telemetry.ts';
import { planIntake, type IntakePlanContext } from './intake-plan.ts';
import { storePauseMs } from './store-pause.ts';

/**
 * Moves the jobs of one intake into the queue's lanes:
 *
 *     look at the oldest → decide → have them moved → again
 *      ↳ none: wait until there is one      ↳ stale routes: read them, decide again
 *      ↳ another proxy's turn: wait for it to end
 *
 * It keeps nothing between rounds, so it may be killed at any moment; see `IntakeStore`.
 */
export interface IntakeRouterOptions extends Omit<CatchUpContext, 'routes'>, IntakePlanContext {
  readonly intake: IntakeStore;
  /** Of this proxy. */
  readonly router: string;
  readonly telemetry: DispatchTelemetry;
  readonly log: Logger;
}

/** Jobs of one round: a step of a few milliseconds for Redis. */
const ROUND_MAX = 500;
/** How long an intake stands still when the proxy that had the turn has died. */
const TURN_MS = 2_000;
/** The turn is renewed before it ends; until then the store wakes us when a job comes. */
const WAIT_MS = TURN_MS / 2;

export class IntakeRouter {
  readonly #queue: LaneQueue;
  readonly #options: IntakeRouterOptions;
  readonly #stopping = new AbortController();
  readonly #done: Promise<void>;
  /** In a row. */
  #staleRounds = 0;

  /** Begins at once. */
  constructor(queue: LaneQueue, options: IntakeRouterOptions) {
    this.#queue = queue;
    this.#options = options;
    this.#done = this.#route();
  }

  /** Resolves when the round under way has ended and the turn is another's. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#done;
    const { intake, router, log } = this.#options;
    try {
      await intake.endIntakeTurn(this.#queue, router);
    } catch (error) {
      log.debug({ err: error }, 'the turn at an intake could not be ended; it runs out by itself');
    }
  }

  async #route(): Promise<void> {
    const { log, random } = this.#options;
    const where = { queue: this.#queue.name, intake: this.#queue.intake?.key };
    for (let failures = 0; !this.#stopping.signal.aborted;) {
      try {
        await this.#round();
        if (failures > 0) log.info(where, 'jobs are routed from the intake again');
        failures = 0;
      } catch (error) {
        log[failures === 0 ? 'warn' : 'debug'](
          { err: error, ...where },
          'no jobs are routed from the intake; trying again',
        );
        await pause(storePauseMs(failures++, random), this.#stopping.signal);
      }
    }
  }

  async #round(): Promise<void> {
    const { intake, router, random } = this.#options;
    const { signal } = this.#stopping;
    const reading = await intake.readIntake(this.#queue, { router, turnMs: TURN_MS, max: ROUND_MAX });
    if (reading.kind === 'held') {
      // Not all of those who wait at the same moment.
      await pause(reading.forMs * (1 + random() / 4), signal);
    } else if (reading.entries.length === 0) {
      await intake.waitForIntake(this.#queue, { after: reading.after, waitMs: WAIT_MS, signal });
    } else {
      const plan = planIntake(this.#options, this.#queue.name, reading.entries);
      const result = await intake.moveIntake(this.#queue, plan.entries, plan.routedBy);
      if (result.kind === 'stale') return this.#catchUp(plan.routedBy);
      this.#staleRounds = 0;
      const counts = this.#options.telemetry.countsOf(this.#queue.name);
      for (const { job, isUnreadable } of plan.entries.slice(0, result.count))
        countEnqueued(counts, `${job.lane} ${isUnreadable ? 'unreadable' : 'routed'}`);
    }
  }

  async #catchUp(routedBy: Parameters<typeof catchUp>[2]): Promise<void> {
    const { random } = this.#options;
    if (this.#staleRounds++ > 0) await pause(storePauseMs(this.#staleRounds, random), this.#stopping.signal);
    await catchUp(this.#options, this.#queue, routedBy, []);
  }
}
