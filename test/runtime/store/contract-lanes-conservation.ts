import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ENVELOPE_KINDS, type LaneQueue } from '../../../src/core/lane-keys.ts';
import { LANES, type Lane } from '../../../src/core/lane.ts';
import type { LaneConsumer, SettleResult, TakenJob } from '../../../src/runtime/store/lane-store.ts';
import {
  aConsumer,
  anAttempt,
  aQueue,
  enqueue,
  jobIn,
  someJobs,
  takeNow,
  type LaneFixture,
  type OpenLaneFixture,
} from './lane-fixture.ts';

/**
 * A ledger on both ends: whatever happens in between, every job that was put in is acknowledged once, and each is handed
 * out with the number of attempts that were made. Jobs are told apart by their bodies, since raw ones have no id.
 */
interface Held {
  readonly consumer: LaneConsumer;
  readonly job: TakenJob;
  readonly body: string;
}

type Settling = 'acknowledge' | 'retry' | 'bury' | 'giveBack';

class Ledger {
  readonly #fixture: LaneFixture;
  readonly #queue: LaneQueue;
  /** The attempt with which each job that isn't done will be handed out. */
  readonly #attempts = new Map<string, number>();
  readonly #done: string[] = [];
  #entered = 0;
  #consumers: LaneConsumer[];
  /** In the hands of the living, of the dead, and of those whose job was recovered. */
  #held: Held[] = [];
  #orphaned: Held[] = [];
  #lost: Held[] = [];

  constructor(fixture: LaneFixture, queue: LaneQueue) {
    this.#fixture = fixture;
    this.#queue = queue;
    this.#consumers = [fixture.store, fixture.other, fixture.store].map((store) => aConsumer(store));
  }

  async enqueue(lane: Lane, count: number): Promise<void> {
    const jobs = someJobs(count, { lane });
    await enqueue(this.#fixture.store, this.#queue, ...jobs);
    // Repeated, as by a producer whose answer was lost.
    await enqueue(this.#fixture.other, this.#queue, ...jobs);
    for (const { body } of jobs) this.#attempts.set(textOf(body), 1);
    this.#entered += count;
  }

  async take(who: number, lane: Lane, max: number): Promise<number> {
    const consumer = this.#consumers[who] ?? aConsumer(this.#fixture.store);
    const taken = await takeNow(consumer, this.#queue, lane, max);
    for (const job of taken) {
      const { body, attempt } = jobIn(job);
      same(
        { body: textOf(body), attempt },
        {
          body: textOf(body),
          attempt: this.#attempts.get(textOf(body)),
        },
      );
      this.#held.push({ consumer, job, body: textOf(body) });
    }
    return taken.length;
  }

  /** What is settled may be held by a living consumer, by a dead one that isn't known to be, or by nobody any more. */
  async settle(which: number, how: Settling, lane: Lane): Promise<void> {
    const all = [...this.#held, ...this.#orphaned, ...this.#lost];
    const held = all[which % Math.max(1, all.length)];
    if (held === undefined) return;
    const result = await this.#settleOne(held, how, lane);
    if (result === undefined) return;
    const wasLost = this.#lost.includes(held);
    same(result, { kind: wasLost ? 'lost' : 'done' });
    this.#held = this.#held.filter((other) => other !== held);
    this.#orphaned = this.#orphaned.filter((other) => other !== held);
    if (wasLost) return;
    if (how === 'acknowledge') this.#done.push(held.body);
    if (how === 'retry') this.#countUp(held.body);
    if (how === 'bury') this.#attempts.set(held.body, 1);
  }

  async #settleOne({ consumer, job }: Held, how: Settling, lane: Lane): Promise<SettleResult | undefined> {
    if (how === 'acknowledge') return consumer.acknowledge(job);
    if (how === 'retry') return consumer.retry(job, { delayMs: 0, lane, ended: anAttempt() });
    if (how === 'bury') return consumer.bury(job, { reason: 'poison', ended: anAttempt() });
    if (this.#lost.some((lost) => lost.job === job)) return undefined;
    await consumer.giveBack([job]);
    return { kind: 'done' };
  }

  async crash(who: number): Promise<void> {
    const dying = this.#consumers[who];
    if (dying === undefined) return;
    await dying.close();
    this.#orphaned.push(...this.#held.filter(({ consumer }) => consumer === dying));
    this.#held = this.#held.filter(({ consumer }) => consumer !== dying);
    this.#consumers = this.#consumers.map((c) => (c === dying ? aConsumer(this.#fixture.other) : c));
  }

  async recover(): Promise<void> {
    const { recovered } = await this.#fixture.other.recoverJobs(this.#queue);
    same(recovered, this.#orphaned.length);
    this.#noteRecovery();
  }

  #noteRecovery(): void {
    for (const { body } of this.#orphaned) this.#countUp(body);
    this.#lost.push(...this.#orphaned);
    this.#orphaned = [];
  }

  async drain(from: Lane, max: number): Promise<void> {
    await this.#fixture.store.drainLane(this.#queue, from, from === 'stable' ? 'canary' : 'stable', max);
    this.#noteRecovery();
  }

  async release(): Promise<void> {
    await this.#fixture.other.releaseDueJobs(this.#queue, 7);
  }

  async requeue(lane: Lane): Promise<void> {
    await this.#fixture.store.requeueDeadJobs(this.#queue, 'all', lane);
  }

  /** Everybody dies, and one that comes after does all that is left. */
  async finish(): Promise<void> {
    for (const who of this.#consumers.keys()) await this.crash(who);
    await this.recover();
    await this.requeue('stable');
    for (let idle = 0; idle < 2;) {
      await this.#fixture.store.releaseDueJobs(this.#queue, 1_000);
      const taken = (await this.take(0, 'stable', 1_000)) + (await this.take(0, 'canary', 1_000));
      while (this.#held.length > 0) await this.settle(0, 'acknowledge', 'stable');
      idle = taken === 0 ? idle + 1 : 0;
    }
    same(new Set(this.#done).size, this.#done.length);
    same(this.#done.length, this.#entered);
    const empty = { waiting: 0, delayed: 0, inFlight: 0, oldestAgeMs: null };
    same(await this.#fixture.store.readDepths(this.#queue), {
      lanes: { stable: empty, canary: empty },
      dead: 0,
    });
  }

  #countUp(body: string): void {
    this.#attempts.set(body, (this.#attempts.get(body) ?? 0) + 1);
  }
}

function same(actual: unknown, expected: unknown): void {
  expect(actual).toEqual(expected);
}

function textOf(body: Uint8Array): string {
  return Buffer.from(body).toString('latin1');
}

type Step = (ledger: Ledger) => Promise<unknown>;

const lane = fc.constantFrom(...LANES);
const who = fc.nat({ max: 2 });

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(lane, fc.integer({ min: 1, max: 9 })).map(
      ([l, n]) =>
        (x: Ledger) =>
          x.enqueue(l, n),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(who, lane, fc.nat({ max: 5 })).map(
      ([w, l, n]) =>
        (x: Ledger) =>
          x.take(w, l, n),
    ),
  },
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.nat({ max: 99 }), fc.constantFrom('acknowledge', 'retry', 'bury', 'giveBack'), lane)
      .map(
        ([n, how, l]) =>
          (x: Ledger) =>
            x.settle(n, how, l),
      ),
  },
  { weight: 1, arbitrary: who.map((w) => (x: Ledger) => x.crash(w)) },
  { weight: 1, arbitrary: fc.constant((x: Ledger) => x.recover()) },
  {
    weight: 1,
    arbitrary: fc.tuple(lane, fc.nat({ max: 9 })).map(
      ([l, n]) =>
        (x: Ledger) =>
          x.drain(l, n),
    ),
  },
  { weight: 2, arbitrary: fc.constant((x: Ledger) => x.release()) },
  { weight: 1, arbitrary: lane.map((l) => (x: Ledger) => x.requeue(l)) },
);

export function describeConservation(open: OpenLaneFixture): void {
  describe('whatever is done', () => {
    it('no job is lost, none is done twice, and no attempt goes uncounted', async () => {
      await using fixture = await open();
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { maxLength: 60, size: 'max' }),
          fc.constantFrom(...ENVELOPE_KINDS),
          async (steps, envelope) => {
            const ledger = new Ledger(fixture, aQueue(fixture, { envelope }));
            for (const act of steps) await act(ledger);
            await ledger.finish();
          },
        ),
        { numRuns: 30 },
      );
    });
  });
}
