import { describe, expect, it } from 'vitest';
import type { LaneQueue } from '../../../src/core/lane-keys.ts';
import type { LaneStore, TakenJob } from '../../../src/runtime/store/lane-store.ts';
import {
  aConsumer,
  aJob,
  anAttempt,
  aQueue,
  enqueue,
  ids,
  idsOf,
  jobIn,
  someJobs,
  takeNow,
  takeOne,
  type OpenLaneFixture,
} from './lane-fixture.ts';

/** In order, one after another. */
async function buryJobs(store: LaneStore, queue: LaneQueue, count: number): Promise<readonly TakenJob[]> {
  await enqueue(store, queue, ...someJobs(count));
  const consumer = aConsumer(store);
  const taken = await takeNow(consumer, queue);
  for (const job of taken) await consumer.bury(job, { reason: 'poison', ended: anAttempt() });
  return taken;
}

const WHOLE = { offset: 0, limit: 1_000 };

export function describeDead(open: OpenLaneFixture): void {
  describe('dead jobs', () => {
    it('are kept with the reason and the history, once', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const queue = aQueue(fixture);
      const job = aJob({ lane: 'canary', attempt: 5, history: [anAttempt({ message: 'first' })] });
      await enqueue(store, queue, job);
      const consumer = aConsumer(store);
      const taken = await takeOne(consumer, queue, 'canary');
      const ended = anAttempt({ message: 'last', worker: 'worker-1' });
      for (let i = 0; i < 2; i++) {
        expect(await consumer.bury(taken, { reason: 'failed 5 times', ended })).toEqual({ kind: 'done' });
      }
      const { total, jobs } = await other.listDeadJobs(queue, WHOLE);
      expect(total).toBe(1);
      expect(jobs).toMatchObject([
        {
          id: expect.any(String),
          at: expect.any(Number),
          lane: 'canary',
          reason: 'failed 5 times',
          content: { kind: 'job', job: { id: job.id, attempt: 5, history: [{ message: 'first' }, ended] } },
        },
      ]);
    });

    it('remember the last twenty attempts', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const queue = aQueue(fixture);
      const history = Array.from({ length: 20 }, (_, at) => anAttempt({ at }));
      await enqueue(store, queue, aJob({ attempt: 21, history }));
      const consumer = aConsumer(store);
      await consumer.bury(await takeOne(consumer, queue), { reason: 'enough', ended: anAttempt({ at: 20 }) });
      const [dead] = (await store.listDeadJobs(queue, WHOLE)).jobs;
      expect(dead && jobIn(dead).history.map(({ at }) => at)).toEqual(
        Array.from({ length: 20 }, (_, i) => i + 1),
      );
    });

    it('are listed a page at a time, the latest first', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const queue = aQueue(fixture);
      const latestFirst = idsOf(await buryJobs(store, queue, 25)).toReversed();
      const list = async (offset: number, limit: number): Promise<string[]> => {
        const { total, jobs } = await store.listDeadJobs(queue, { offset, limit });
        expect(total).toBe(25);
        return idsOf(jobs);
      };
      expect(await list(0, 10)).toEqual(latestFirst.slice(0, 10));
      expect(await list(20, 10)).toEqual(latestFirst.slice(20));
      expect(await list(25, 10)).toEqual([]);
      expect(await list(0, 0)).toEqual([]);
      expect(await store.listDeadJobs(aQueue(fixture), WHOLE)).toEqual({ total: 0, jobs: [] });
    });

    it('are requeued by id, to begin anew with their history', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const queue = aQueue(fixture);
      const buried = await buryJobs(store, queue, 4);
      const dead = (await store.listDeadJobs(queue, WHOLE)).jobs.toReversed();
      const some = [dead[1]?.id ?? '', dead[3]?.id ?? '', 'unknown'];
      expect(await other.requeueDeadJobs(queue, some, 'canary')).toEqual({ count: 2 });
      expect(await other.requeueDeadJobs(queue, some, 'canary')).toEqual({ count: 0 });
      const taken = await takeNow(aConsumer(store), queue, 'canary');
      expect(idsOf(taken)).toEqual([1, 3].map((i) => idsOf(buried)[i]));
      expect(taken.map((job) => jobIn(job))).toMatchObject([
        { attempt: 1, history: [{ outcome: 'failure' }] },
        { attempt: 1, history: [{ outcome: 'failure' }] },
      ]);
      expect((await store.readDepths(queue)).dead).toBe(2);
    });

    it('are requeued all at once, the earliest first', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const queue = aQueue(fixture);
      const buried = await buryJobs(store, queue, 230);
      expect(await store.requeueDeadJobs(queue, 'all', 'stable')).toEqual({ count: 230 });
      expect(await store.requeueDeadJobs(queue, 'all', 'stable')).toEqual({ count: 0 });
      expect(idsOf(await takeNow(aConsumer(store), queue))).toEqual(idsOf(buried));
      expect((await store.readDepths(queue)).dead).toBe(0);
    });

    it('are dropped, some or all', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const queue = aQueue(fixture);
      await buryJobs(store, queue, 5);
      const [first, second] = (await store.listDeadJobs(queue, WHOLE)).jobs;
      expect(await other.dropDeadJobs(queue, [first?.id ?? '', second?.id ?? '', 'x'])).toEqual({ count: 2 });
      expect((await store.readDepths(queue)).dead).toBe(3);
      expect(await other.dropDeadJobs(queue, 'all')).toEqual({ count: 3 });
      expect(await other.dropDeadJobs(queue, 'all')).toEqual({ count: 0 });
      expect((await store.readDepths(queue)).lanes.stable).toMatchObject({
        waiting: 0,
        delayed: 0,
        inFlight: 0,
      });
    });

    it('of a raw queue are the bytes that came, and go back as such', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const queue = aQueue(fixture, { envelope: 'raw' });
      const body = Uint8Array.of(0, 255, 10, 13, 34, 195, 40);
      await enqueue(store, queue, aJob({ body }));
      const consumer = aConsumer(store);
      const taken = await takeOne(consumer, queue);
      await consumer.bury(taken, { reason: 'poison', ended: anAttempt() });
      const [dead] = (await store.listDeadJobs(queue, WHOLE)).jobs;
      expect(dead && Buffer.compare(jobIn(dead).body, body)).toBe(0);
      await store.requeueDeadJobs(queue, 'all', 'stable');
      const again = jobIn(await takeOne(consumer, queue));
      expect(Buffer.compare(again.body, body)).toBe(0);
      expect(again).toMatchObject({ id: jobIn(taken).id, attempt: 1, history: [{ outcome: 'failure' }] });
    });
  });

  describe('raw jobs of equal bytes', () => {
    it('each have attempts of their own', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const queue = aQueue(fixture, { envelope: 'raw' });
      await enqueue(store, queue, ...someJobs(3, { body: Buffer.from('tick') }));
      const dying = aConsumer(store);
      await takeNow(dying, queue, 'stable', 2);
      await dying.close();
      await store.recoverJobs(queue);
      const taken = await takeNow(aConsumer(store), queue);
      expect(taken.map((job) => jobIn(job).attempt).toSorted((a, b) => a - b)).toEqual([1, 2, 2]);
      expect(new Set(idsOf(taken)).size).toBe(3);
    });
  });

  describe('jobs whose envelope is of no use', () => {
    it('are handed out as unreadable, and can be buried and listed', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const name = aQueue(fixture).name;
      const raw = { name, kind: fixture.kind, envelope: 'raw' } as const;
      const json = { name, kind: fixture.kind } as const;
      // By an unknown release, and by somebody else: as raw bytes into the very lane.
      const bodies = ['{"v":2,"body":{}}', 'not json', '{"v":1}', '7'];
      for (const body of bodies) await enqueue(store, raw, aJob({ body: Buffer.from(body) }));
      const good = aJob();
      await enqueue(store, json, good);
      const consumer = aConsumer(store);
      const taken = await takeNow(consumer, json);
      expect(taken.map(({ content }) => content.kind)).toEqual([...bodies.map(() => 'unreadable'), 'job']);
      for (const job of taken.slice(0, 4)) {
        const reason = job.content.kind === 'unreadable' ? job.content.reason : '';
        expect(await consumer.bury(job, { reason })).toEqual({ kind: 'done' });
      }
      const { jobs } = await store.listDeadJobs(json, WHOLE);
      const future = fixture.kind === 'list' ? [/version 2, of a newer release; this one reads up to 1/] : [];
      for (const reason of future) expect(jobs[3]?.reason).toMatch(reason);
      expect(jobs.map(({ content }) => content.kind)).toEqual(bodies.map(() => 'unreadable'));
      expect(ids([jobIn(taken[4] ?? taken[0]!)])).toEqual([good.id]);
    });
  });
}
