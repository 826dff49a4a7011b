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
  LONG_MS,
  SHORT_MS,
  someJobs,
  takeNow,
  takeOne,
  type OpenLaneFixture,
} from './lane-fixture.ts';
import { eventually } from './recorder.ts';

function drain(store: LaneStore, queue: LaneQueue, max = 1_000) {
  return store.drainLane(queue, 'canary', 'stable', max);
}

export function describeDrain(open: OpenLaneFixture): void {
  describe('a lane that is drained', () => {
    it('moves chunk by chunk behind what waits in the other, in order', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const queue = aQueue(fixture);
      const stable = someJobs(3);
      const canary = someJobs(250, { lane: 'canary' });
      await enqueue(store, queue, ...canary, ...stable);
      const moved = [];
      for (let left = 250; left > 0;) {
        const step = await drain(other, queue, 100);
        left = step.waiting;
        moved.push(step);
      }
      expect(moved).toEqual([
        { moved: 100, waiting: 150, delayed: 0, inFlight: 0 },
        { moved: 100, waiting: 50, delayed: 0, inFlight: 0 },
        { moved: 50, waiting: 0, delayed: 0, inFlight: 0 },
      ]);
      expect(await drain(store, queue)).toEqual({ moved: 0, waiting: 0, delayed: 0, inFlight: 0 });
      expect(idsOf(await takeNow(aConsumer(store), queue))).toEqual(ids([...stable, ...canary]));
    });

    it('keeps its order also while the other one is consumed', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const queue = aQueue(fixture);
      const canary = someJobs(60, { lane: 'canary' });
      await enqueue(store, queue, ...canary);
      const consumer = aConsumer(other);
      const taken = [];
      while (taken.length < 60) {
        await drain(store, queue, 7);
        taken.push(...(await takeNow(consumer, queue, 'stable', 5)));
      }
      expect(idsOf(taken)).toEqual(ids(canary));
    });

    it('moves delayed jobs as delayed ones', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const queue = aQueue(fixture);
      await enqueue(store, queue, ...someJobs(3, { lane: 'canary' }));
      const consumer = aConsumer(store);
      for (const [i, job] of (await takeNow(consumer, queue, 'canary')).entries()) {
        const delayMs = i === 0 ? LONG_MS : SHORT_MS;
        await consumer.retry(job, { delayMs, lane: 'canary', ended: anAttempt() });
      }
      expect(await drain(store, queue, 1)).toEqual({ moved: 1, waiting: 0, delayed: 2, inFlight: 0 });
      expect(await drain(store, queue)).toEqual({ moved: 2, waiting: 0, delayed: 0, inFlight: 0 });
      expect((await store.readDepths(queue)).lanes.stable).toMatchObject({ waiting: 0, delayed: 3 });
      fixture.elapse(SHORT_MS * 2);
      await eventually(async () => {
        await store.releaseDueJobs(queue, 10);
        return (await store.readDepths(queue)).lanes.stable.waiting === 2;
      });
      expect((await takeNow(consumer, queue)).map((job) => jobIn(job).attempt)).toEqual([2, 2]);
    });

    it('leaves what is in the hands of the living, and moves what the dead have left', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const queue = aQueue(fixture);
      const jobs = someJobs(6, { lane: 'canary' });
      await enqueue(store, queue, ...jobs);
      const [living, dead] = [aConsumer(store), aConsumer(store)];
      const held = await takeNow(living, queue, 'canary', 2);
      await takeNow(dead, queue, 'canary', 2);
      expect(await drain(other, queue)).toEqual({ moved: 2, waiting: 0, delayed: 0, inFlight: 4 });
      await dead.close();
      expect(await drain(other, queue)).toEqual({ moved: 2, waiting: 0, delayed: 0, inFlight: 2 });
      for (const job of held) expect(await living.acknowledge(job)).toEqual({ kind: 'done' });
      expect(await drain(other, queue)).toEqual({ moved: 0, waiting: 0, delayed: 0, inFlight: 0 });
      const taken = await takeNow(living, queue);
      expect(idsOf(taken)).toEqual(ids([...jobs.slice(4), ...jobs.slice(2, 4)]));
      // Nobody knows what became of the attempt of the dead one, so it counts.
      expect(taken.map((job) => jobIn(job).attempt)).toEqual([1, 1, 2, 2]);
    });

    it('wakes those who wait in the other', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const queue = aQueue(fixture);
      const waiting = takeOne(aConsumer(other), queue, 'stable');
      const job = aJob({ lane: 'canary' });
      await enqueue(store, queue, job);
      await drain(store, queue);
      expect(jobIn(await waiting).id).toBe(job.id);
    });

    it('may hold bodies of 10 MB', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const queue = aQueue(fixture);
      const body = Buffer.alloc(10 * 1024 * 1024, 'x');
      for (let i = 0; i < 3; i++) await enqueue(store, queue, aJob({ lane: 'canary', body }));
      let moved = 0;
      for (let left = 1; left > 0;) {
        const step = await drain(store, queue);
        moved += step.moved;
        left = step.waiting;
      }
      expect(moved).toBe(3);
      expect((await store.readDepths(queue)).lanes.stable.waiting).toBe(3);
    });
  });

  describe('depths', () => {
    it('of a queue that nobody has used are zero', async () => {
      await using fixture = await open();
      const none = { waiting: 0, delayed: 0, inFlight: 0, oldestAgeMs: null };
      expect(await fixture.store.readDepths(aQueue(fixture))).toEqual({
        lanes: { stable: none, canary: none },
        dead: 0,
      });
    });

    it('tell for each lane how many wait, are delayed, are in hands, and the dead', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const queue = aQueue(fixture);
      await enqueue(store, queue, ...someJobs(10), ...someJobs(4, { lane: 'canary' }));
      const consumer = aConsumer(store);
      const [retried, buried] = await takeNow(consumer, queue, 'stable', 5);
      if (retried === undefined || buried === undefined) throw new Error('no jobs');
      await consumer.retry(retried, { delayMs: LONG_MS, lane: 'canary', ended: anAttempt() });
      await consumer.bury(buried, { reason: 'poison' });
      expect(await other.readDepths(queue)).toMatchObject({
        lanes: {
          stable: { waiting: 5, delayed: 0, inFlight: 3 },
          canary: { waiting: 4, delayed: 1, inFlight: 0 },
        },
        dead: 1,
      });
    });

    it('tell the age of the oldest that waits, unless it says nothing of that', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const queue = aQueue(fixture);
      const raw = aQueue(fixture, { envelope: 'raw' });
      const past = aJob({ enqueuedAt: Date.UTC(2020, 0) });
      await enqueue(store, queue, past, aJob());
      await enqueue(store, raw, past);
      const { lanes } = await store.readDepths(queue);
      expect(lanes.stable.oldestAgeMs).toBeGreaterThan(365 * 86_400_000);
      expect((await store.readDepths(raw)).lanes.stable).toMatchObject({ waiting: 1, oldestAgeMs: null });
      await takeNow(aConsumer(store), queue, 'stable', 1);
      expect((await store.readDepths(queue)).lanes.stable.oldestAgeMs).toBeLessThan(86_400_000);
      // A producer whose clock is ahead makes no negative age.
      const ahead = aQueue(fixture);
      await enqueue(store, ahead, aJob({ enqueuedAt: Date.UTC(2090, 0) }));
      expect((await store.readDepths(ahead)).lanes.stable.oldestAgeMs).toBe(0);
    });
  });
}
