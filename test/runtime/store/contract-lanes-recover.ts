import { describe, expect, it } from 'vitest';
import type { LaneStore } from '../../../src/runtime/store/lane-store.ts';
import type { LaneQueue } from '../../../src/core/lane-keys.ts';
import {
  aConsumer,
  aJob,
  anAttempt,
  aQueue,
  enqueue,
  ids,
  idsOf,
  jobIn,
  SHORT_MS,
  someJobs,
  takeNow,
  takeOne,
  type OpenLaneFixture,
} from './lane-fixture.ts';
import { eventually } from './recorder.ts';

/** Until so many have come back in all. */
async function recovered(store: LaneStore, queue: LaneQueue, count: number): Promise<void> {
  let sum = 0;
  await eventually(async () => {
    sum += (await store.recoverJobs(queue)).recovered;
    return sum >= count;
  });
  expect(sum).toBe(count);
}

export function describeRecovery(open: OpenLaneFixture): void {
  describe('jobs of a consumer that died', () => {
    it('return to the front of their lanes in their old order, with the attempt counted', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const queue = aQueue(fixture);
      const jobs = someJobs(7);
      const canary = someJobs(2, { lane: 'canary' });
      await enqueue(store, queue, ...jobs, ...canary);
      const dying = aConsumer(store, SHORT_MS);
      await takeNow(dying, queue, 'stable', 4);
      await takeNow(dying, queue, 'canary', 2);
      fixture.elapse(SHORT_MS * 2);
      await recovered(other, queue, 6);
      const next = aConsumer(other);
      const taken = await takeNow(next, queue);
      expect(idsOf(taken)).toEqual(ids(jobs));
      expect(taken.map((job) => jobIn(job).attempt)).toEqual([2, 2, 2, 2, 1, 1, 1]);
      expect(idsOf(await takeNow(next, queue, 'canary'))).toEqual(ids(canary));
    });

    it('that were taken in turns by two of them come back in one order', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const queue = aQueue(fixture);
      const jobs = someJobs(8);
      await enqueue(store, queue, ...jobs);
      const [one, two] = [aConsumer(store), aConsumer(other)];
      for (let i = 0; i < 3; i++) {
        await takeNow(one, queue, 'stable', 1);
        await takeNow(two, queue, 'stable', 1);
      }
      await Promise.all([one.close(), two.close()]);
      expect(await store.recoverJobs(queue)).toEqual({ recovered: 6 });
      expect(idsOf(await takeNow(aConsumer(store), queue))).toEqual(ids(jobs));
    });

    it('count the attempts of every death', async () => {
      await using fixture = await open();
      const { store } = fixture;
      for (const envelope of ['json', 'raw'] as const) {
        const queue = aQueue(fixture, { envelope });
        await enqueue(store, queue, aJob());
        for (let attempt = 1; attempt <= 4; attempt++) {
          const dying = aConsumer(store);
          expect(jobIn(await takeOne(dying, queue)).attempt).toBe(attempt);
          await dying.close();
          expect(await store.recoverJobs(queue)).toEqual({ recovered: 1 });
        }
        const consumer = aConsumer(store);
        const taken = await takeOne(consumer, queue);
        await consumer.retry(taken, { delayMs: 0, lane: 'stable', ended: anAttempt() });
        await eventually(async () => (await store.releaseDueJobs(queue, 1)).released === 1);
        expect(jobIn(await takeOne(consumer, queue))).toMatchObject({ attempt: 6, history: [{}] });
      }
    });

    it('are no longer its own: whatever it does with them is lost and makes no duplicate', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const queue = aQueue(fixture);
      await enqueue(store, queue, ...someJobs(3));
      const late = aConsumer(store);
      const [first, second, third] = await takeNow(late, queue);
      if (first === undefined || second === undefined || third === undefined) throw new Error('no jobs');
      await late.close();
      await other.recoverJobs(queue);
      const settleAll = async (): Promise<void> => {
        expect(await late.acknowledge(first)).toEqual({ kind: 'lost' });
        const retry = { delayMs: 0, lane: 'stable', ended: anAttempt() } as const;
        expect(await late.retry(second, retry)).toEqual({ kind: 'lost' });
        expect(await late.bury(third, { reason: 'late' })).toEqual({ kind: 'lost' });
      };
      await settleAll();
      const next = aConsumer(other);
      const taken = await takeNow(next, queue);
      expect(taken).toHaveLength(3);
      await settleAll();
      for (const job of taken) expect(await next.acknowledge(job)).toEqual({ kind: 'done' });
      await settleAll();
      expect(await store.readDepths(queue)).toMatchObject({
        lanes: { stable: { waiting: 0, delayed: 0, inFlight: 0 } },
        dead: 0,
      });
    });

    it('can be taken by itself again, once it is back', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const queue = aQueue(fixture);
      await enqueue(store, queue, aJob());
      const consumer = aConsumer(store);
      const before = await takeOne(consumer, queue);
      await consumer.close();
      await store.recoverJobs(queue);
      const after = await takeOne(consumer, queue);
      expect(await consumer.acknowledge(before)).toEqual({ kind: 'lost' });
      expect(await consumer.acknowledge(after)).toEqual({ kind: 'done' });
      expect(await consumer.acknowledge(after)).toEqual({ kind: 'done' });
    });

    it('are returned once, by however many who recover at once', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const queue = aQueue(fixture);
      const jobs = someJobs(300);
      await enqueue(store, queue, ...jobs);
      const dying = aConsumer(store);
      await takeNow(dying, queue);
      await dying.close();
      const results = await Promise.all(
        Array.from({ length: 6 }, (_, i) => (i % 2 === 0 ? store : other).recoverJobs(queue)),
      );
      expect(results.reduce((sum, r) => sum + r.recovered, 0)).toBe(300);
      expect(idsOf(await takeNow(aConsumer(store), queue))).toEqual(ids(jobs));
    });
  });

  describe('a consumer that lives', () => {
    it('keeps its jobs, as long as it says so in time', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const queue = aQueue(fixture);
      await enqueue(store, queue, ...someJobs(3));
      // With a lease that no pause of a busy machine outlasts; the heartbeat is what prolongs it.
      const consumer = aConsumer(store, 20_000);
      const taken = await takeNow(consumer, queue);
      for (let i = 0; i < 3; i++) {
        fixture.elapse(15_000);
        await consumer.heartbeat();
        expect(await other.recoverJobs(queue)).toEqual({ recovered: 0 });
      }
      for (const job of taken) expect(await consumer.acknowledge(job)).toEqual({ kind: 'done' });
    });

    it('is not inherited by the next one of the same id', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const queue = aQueue(fixture);
      await enqueue(store, queue, aJob());
      const before = store.openConsumer({ id: 'proxy', leaseMs: SHORT_MS });
      const [taken] = await takeNow(before, queue);
      const after = store.openConsumer({ id: 'proxy', leaseMs: 600_000 });
      expect(after.name).not.toBe(before.name);
      expect(await takeNow(after, queue)).toEqual([]);
      await after.heartbeat();
      fixture.elapse(SHORT_MS * 2);
      await recovered(store, queue, 1);
      expect(idsOf(await takeNow(after, queue))).toEqual([taken && jobIn(taken).id]);
    });
  });
}
