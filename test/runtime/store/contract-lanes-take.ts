import { describe, expect, it } from 'vitest';
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

const EMPTY = { waiting: 0, delayed: 0, inFlight: 0, oldestAgeMs: null };

export function describeTake(open: OpenLaneFixture): void {
  describe('a consumer', () => {
    it('that waits gets the job that comes first', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const queue = aQueue(fixture);
      const waiting = takeOne(aConsumer(store), queue, 'canary');
      const job = aJob({ lane: 'canary' });
      await enqueue(other, queue, aJob(), job);
      expect(jobIn(await waiting).id).toBe(job.id);
    });

    it('that waits in vain gets nothing', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const consumer = aConsumer(store);
      expect(await consumer.take(aQueue(fixture), 'stable', { max: 5, waitMs: 30 })).toEqual([]);
    });

    it('is not the only one: of many that wait each job goes to one', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const queue = aQueue(fixture);
      const waiting = Array.from({ length: 8 }, (_, i) =>
        takeOne(aConsumer(i % 2 === 0 ? store : other), queue),
      );
      const jobs = someJobs(8);
      await enqueue(store, queue, ...jobs.slice(0, 4));
      await enqueue(other, queue, ...jobs.slice(4));
      expect(idsOf(await Promise.all(waiting)).toSorted()).toEqual(ids(jobs).toSorted());
    });

    it('that is stopped while it waits returns at once, and what comes later is for others', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const queue = aQueue(fixture);
      const stop = new AbortController();
      const consumer = aConsumer(store);
      const waiting = consumer.take(queue, 'stable', { max: 1, waitMs: LONG_MS, signal: stop.signal });
      // It may or may not have begun to wait: both must do.
      await store.readDepths(queue);
      stop.abort();
      expect(await waiting).toEqual([]);
      const stopped = await consumer.take(queue, 'stable', { max: 1, waitMs: LONG_MS, signal: stop.signal });
      expect(stopped).toEqual([]);
      await enqueue(other, queue, aJob());
      expect(await takeNow(aConsumer(other), queue)).toHaveLength(1);
    });

    it('that is stopped at the very moment in which a job comes returns it, or leaves it', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const queue = aQueue(fixture);
      const [consumer, next] = [aConsumer(store), aConsumer(other)];
      for (let round = 0; round < 30; round++) {
        const stop = new AbortController();
        const waiting = consumer.take(queue, 'stable', { max: 1, waitMs: LONG_MS, signal: stop.signal });
        const job = aJob();
        await Promise.all([
          enqueue(other, queue, job),
          Promise.resolve().then(() => (round % 2 === 0 ? stop.abort() : setImmediate(() => stop.abort()))),
        ]);
        const found = [...(await waiting), ...(await takeNow(next, queue))];
        expect(idsOf(found)).toEqual([job.id]);
        await Promise.all(found.flatMap((taken) => [consumer.acknowledge(taken), next.acknowledge(taken)]));
      }
      expect((await store.readDepths(queue)).lanes.stable).toEqual(EMPTY);
    });

    it('asks twice at once and gets different jobs, one call after the other', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const queue = aQueue(fixture);
      const consumer = aConsumer(store);
      const takes = [takeOne(consumer, queue), takeOne(consumer, queue), takeOne(consumer, queue)];
      const jobs = someJobs(3);
      await enqueue(store, queue, ...jobs);
      expect(idsOf(await Promise.all(takes))).toEqual(ids(jobs));
    });

    it('gets no more than it asks for', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const queue = aQueue(fixture);
      await enqueue(store, queue, ...someJobs(40));
      const consumer = aConsumer(store);
      const sizes = [];
      for (const max of [0, 1, 17, 40]) sizes.push((await takeNow(consumer, queue, 'stable', max)).length);
      expect(sizes).toEqual([0, 1, 17, 22]);
    });
  });

  describe('a job that was taken', () => {
    it('is done when it is acknowledged, and doing so twice is harmless', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const queue = aQueue(fixture);
      const consumer = aConsumer(store);
      await enqueue(store, queue, aJob(), aJob());
      const [job] = await takeNow(consumer, queue, 'stable', 1);
      if (job === undefined) throw new Error('no job');
      expect((await store.readDepths(queue)).lanes.stable).toMatchObject({ waiting: 1, inFlight: 1 });
      for (let i = 0; i < 3; i++) expect(await consumer.acknowledge(job)).toEqual({ kind: 'done' });
      expect(await consumer.retry(job, { delayMs: 0, lane: 'stable', ended: anAttempt() })).toEqual({
        kind: 'done',
      });
      expect(await consumer.bury(job, { reason: 'late' })).toEqual({ kind: 'done' });
      expect(await store.readDepths(queue)).toMatchObject({
        lanes: { stable: { waiting: 1, delayed: 0, inFlight: 0 } },
        dead: 0,
      });
    });

    it('returns when its delay is over, with the attempt counted and written down', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const consumer = aConsumer(store);
      for (const envelope of ['json', 'raw'] as const) {
        const queue = aQueue(fixture, { envelope });
        await enqueue(store, queue, aJob());
        const first = await takeOne(consumer, queue);
        const ended = anAttempt({ worker: 'worker-1', message: 'x'.repeat(9_000) });
        const retry = { delayMs: SHORT_MS, lane: 'canary', ended } as const;
        for (let i = 0; i < 2; i++) expect(await consumer.retry(first, retry)).toEqual({ kind: 'done' });
        expect((await store.readDepths(queue)).lanes).toMatchObject({
          stable: { waiting: 0, delayed: 0, inFlight: 0 },
          canary: { waiting: 0, delayed: 1, inFlight: 0 },
        });
        fixture.elapse(SHORT_MS);
        await eventually(async () => (await store.releaseDueJobs(queue, 10)).released === 1);
        const second = await takeOne(consumer, queue, 'canary');
        const { id, body, attempt, history } = jobIn(second);
        expect({ id, attempt, history }).toEqual({
          id: jobIn(first).id,
          attempt: 2,
          history: [{ ...ended, message: 'x'.repeat(500) }],
        });
        expect(Buffer.compare(body, jobIn(first).body)).toBe(0);
        await consumer.retry(second, { ...retry, delayMs: 0 });
        await eventually(async () => (await store.releaseDueJobs(queue, 10)).released === 1);
        expect(jobIn(await takeOne(consumer, queue, 'canary'))).toMatchObject({
          attempt: 3,
          history: [{}, {}],
        });
      }
    });

    it('that is delayed comes back in the order in which it is due, and the store says when that is', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const queue = aQueue(fixture);
      expect(await store.releaseDueJobs(queue, 10)).toEqual({ released: 0, nextInMs: null });
      const consumer = aConsumer(store);
      await enqueue(store, queue, ...someJobs(4));
      const taken = await takeNow(consumer, queue);
      const delays = [SHORT_MS, SHORT_MS - 100, LONG_MS, SHORT_MS - 50];
      // All at once: the pauses between them would be added to the delays.
      await Promise.all(
        taken.map((job, i) =>
          consumer.retry(job, { delayMs: delays[i] ?? 0, lane: 'stable', ended: anAttempt() }),
        ),
      );
      const { nextInMs } = await other.releaseDueJobs(queue, 0);
      expect(nextInMs).toBeLessThanOrEqual(SHORT_MS);
      fixture.elapse(SHORT_MS * 2);
      await eventually(async () => (await other.releaseDueJobs(queue, 0)).nextInMs === 0);
      await eventually(async () => {
        await other.releaseDueJobs(queue, 2);
        return (await store.readDepths(queue)).lanes.stable.waiting === 3;
      });
      const order = [1, 3, 0].map((i) => jobIn(taken[i] ?? raise()).id);
      expect(idsOf(await takeNow(consumer, queue))).toEqual(order);
      const last = await store.releaseDueJobs(queue, 10);
      expect(last.released).toBe(0);
      expect(last.nextInMs).toBeGreaterThan(SHORT_MS);
    });

    it('that was not begun is given back to the front, in order, with no attempt counted', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const queue = aQueue(fixture);
      const jobs = someJobs(6);
      await enqueue(store, queue, ...jobs);
      const consumer = aConsumer(store);
      const taken = await takeNow(consumer, queue, 'stable', 4);
      await consumer.giveBack(taken.slice(1));
      const again = await takeNow(aConsumer(store), queue);
      expect(idsOf(again)).toEqual(ids(jobs).slice(1));
      expect(again.map((job) => jobIn(job).attempt)).toEqual([1, 1, 1, 1, 1]);
      const stale = taken[2] ?? raise();
      expect(await consumer.acknowledge(stale)).toEqual({ kind: 'lost' });
      expect((await store.readDepths(queue)).lanes.stable).toMatchObject({ waiting: 0, inFlight: 6 });
    });
  });
}

function raise(): never {
  throw new Error('no such job');
}
