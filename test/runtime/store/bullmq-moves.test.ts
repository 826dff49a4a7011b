import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LaneQueue } from '../../../src/core/lane-keys.ts';
import type { Lane } from '../../../src/core/lane.ts';
import type { Processor } from '../../helpers/bullmq.ts';
import { startRedis, type RedisServer } from '../../helpers/redis.ts';
import {
  aBullmqQueue,
  bullmqQueue,
  bullmqThat,
  bullmqWorker,
  LATER,
  LATEST,
  NOTHING,
  openBullmqStore,
  rollBack,
} from './bullmq-fixture.ts';
import { aJob, enqueue, ids, LONG_MS, someJobs } from './lane-fixture.ts';
import { eventually } from './recorder.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server[Symbol.asyncDispose]());

const openStore = (options?: Parameters<typeof openBullmqStore>[1]) => openBullmqStore(server.url, options);
const worker = (queue: LaneQueue, lane: Lane, process?: Processor) =>
  bullmqWorker(server.port, queue, lane, process);
const queueOf = (queue: LaneQueue, lane: Lane) => bullmqQueue(server.port, queue, lane);

describe('a canary of BullMQ workers that is given up', () => {
  it('gets nothing more; its jobs are executed by stable, once and in their order', async () => {
    const store = openStore();
    const queue = aBullmqQueue();
    const [stable, canary] = [someJobs(5), someJobs(230, { lane: 'canary' })];
    await enqueue(store, queue, ...canary, ...stable);
    expect(await rollBack(store, queue)).toEqual({ moved: 230, ...NOTHING });
    const [old, young] = [await worker(queue, 'stable'), await worker(queue, 'canary')];
    await eventually(() => old.ran.length === 235);
    expect(old.ids).toEqual(ids([...stable, ...canary]));
    expect(young.ran).toEqual([]);
    expect(await rollBack(store, queue)).toEqual({ moved: 0, ...NOTHING });
  });

  it('leaves its workers what they have begun, and sweeps up what they fail at', async () => {
    const store = openStore({ jobOptions: '{attempts: 2}' });
    const queue = aBullmqQueue();
    const release = Promise.withResolvers<void>();
    const jobs = someJobs(3, { lane: 'canary' });
    const young = await worker(queue, 'canary', async () => {
      await release.promise;
      throw new Error('the new version is broken');
    });
    await enqueue(store, queue, ...jobs);
    await eventually(() => young.ran.length === 1);
    expect(await rollBack(store, queue)).toEqual({ moved: 2, ...NOTHING, inFlight: 1 });
    release.resolve();
    await eventually(async () => (await rollBack(store, queue)).inFlight === 0);
    const old = await worker(queue, 'stable');
    await eventually(() => old.ran.length === 3);
    expect(young.ids).toEqual([jobs[0]!.id]);
    // It begins anew: what the canary made of it says nothing of stable.
    expect(old.ran.map(({ id, attempt }) => [id, attempt])).toEqual([
      [jobs[1]!.id, 1],
      [jobs[2]!.id, 1],
      [jobs[0]!.id, 1],
    ]);
  });

  it('passes on options, priorities, and when delayed jobs are due', async () => {
    const store = openStore();
    const queue = aBullmqQueue();
    const withOptions = (options: object) =>
      aJob({ lane: 'canary', headers: { 'X-BullMQ-Options': JSON.stringify(options) } });
    const [late, soon] = [withOptions({ delay: LONG_MS }), withOptions({ delay: LONG_MS / 2, attempts: 4 })];
    const [low, high] = [withOptions({ priority: 9 }), withOptions({ priority: 2, removeOnComplete: true })];
    const plain = withOptions({ attempts: 5, backoff: { type: 'exponential', delay: 250 } });
    await enqueue(store, queue, late, soon, low, high, plain);
    const before = queueOf(queue, 'canary');
    const optsBefore = new Map(
      (await before.getJobs(['waiting', 'prioritized', 'delayed'])).map(({ id, opts }) => [id, opts]),
    );
    expect(await rollBack(store, queue, 2)).toEqual({ moved: 2, ...NOTHING, waiting: 1, delayed: 2 });
    expect(await rollBack(store, queue)).toEqual({ moved: 3, ...NOTHING });
    const after = queueOf(queue, 'stable');
    for (const { id, opts, timestamp } of await after.getJobs(['waiting', 'prioritized', 'delayed'])) {
      expect(opts).toEqual(optsBefore.get(id));
      expect(timestamp).toBeGreaterThan(0);
    }
    expect((await after.getWaiting()).map(({ id }) => id)).toEqual([plain.id]);
    expect((await after.getPrioritized()).map(({ id }) => id)).toEqual([high.id, low.id]);
    expect((await after.getDelayed()).map(({ id }) => id)).toEqual([soon.id, late.id]);
    expect((await store.readDepths(queue)).lanes.stable).toMatchObject({ waiting: 3, delayed: 2 });
    const score = Number(await server.client().zscore(`bull:${queue.name}:delayed`, late.id));
    expect(Math.floor(score / 4096)).toBe(late.enqueuedAt + LONG_MS);
  });

  it('is drained once, however many do it', async () => {
    const queue = aBullmqQueue();
    const stores = [openStore({ jobOptions: '{removeOnComplete: true}' }), openStore(), openStore()];
    const jobs = someJobs(300, { lane: 'canary' });
    await enqueue(stores[0]!, queue, ...jobs);
    const old = await worker(queue, 'stable');
    await stores[0]!.fenceQueue(queue, undefined, LATER);
    let moved = 0;
    await Promise.all(
      stores.map(async (store) => {
        for (let left = 1; left > 0;) {
          const step = await store.drainLane(queue, 'canary', 'stable', 40);
          moved += step.moved;
          left = step.waiting;
        }
      }),
    );
    await eventually(() => old.ran.length >= 300);
    expect(moved).toBe(300);
    expect(old.ids).toEqual(ids(jobs));
  });

  it('that a job reaches after all, since its fence came in between, passes it on', async () => {
    const queue = aBullmqQueue();
    const operator = openStore();
    const young = await worker(queue, 'canary');
    const store = openStore(
      bullmqThat(async (add) => {
        // Routed and noted; then the roll-back is decided, carried out and acknowledged.
        expect(await rollBack(operator, queue)).toEqual({ moved: 0, ...NOTHING });
        return add();
      }),
    );
    const [job, plain] = [aJob({ lane: 'canary' }), aJob({ lane: 'canary', tenant: 'acme' })];
    expect(await enqueue(store, queue, job, plain)).toMatchObject({
      jobs: [
        { kind: 'stored', lane: 'stable' },
        { kind: 'stored', lane: 'stable' },
      ],
    });
    const { lanes } = await store.readDepths(queue);
    expect([lanes.stable.waiting, lanes.canary.waiting]).toEqual([2, 0]);
    expect(young.ran).toEqual([]);
    const again = await store.enqueueJobs(queue, [job], { routedBy: LATER });
    expect(again).toMatchObject({ jobs: [{ kind: 'known', lane: 'stable' }] });
  });

  it('is open again for the first job of the next deployment', async () => {
    const store = openStore();
    const queue = aBullmqQueue();
    const canary = queueOf(queue, 'canary');
    const young = await worker(queue, 'canary');
    await rollBack(store, queue);
    expect(await canary.isPaused()).toBe(true);
    await store.enqueueJobs(queue, [aJob()], { routedBy: LATEST });
    expect(await canary.isPaused()).toBe(true);
    const job = aJob({ lane: 'canary' });
    await store.enqueueJobs(queue, [job], { routedBy: LATEST });
    expect(await canary.isPaused()).toBe(false);
    await eventually(() => young.ran.length === 1);
    expect(young.ids).toEqual([job.id]);
  });

  it('that its owner has paused stays paused', async () => {
    const store = openStore();
    const queue = aBullmqQueue();
    const canary = queueOf(queue, 'canary');
    await canary.pause();
    await enqueue(store, queue, aJob({ lane: 'canary' }));
    expect(await canary.isPaused()).toBe(true);
    expect(await rollBack(store, queue)).toMatchObject({ moved: 1, waiting: 0 });
    await store.enqueueJobs(queue, [aJob({ lane: 'canary' })], { routedBy: LATER });
    expect(await canary.isPaused()).toBe(true);
  });

  it('after a crash between the two steps of a move is drained to the end', async () => {
    const queue = aBullmqQueue();
    const jobs = someJobs(3, { lane: 'canary' });
    const store = openStore();
    await enqueue(store, queue, ...jobs);
    // The first was added to stable already, and not yet removed.
    const twin = (await queueOf(queue, 'canary').getJob(jobs[0]!.id))!;
    await queueOf(queue, 'stable').addBulk([{ name: twin.name, data: twin.data, opts: { jobId: twin.id! } }]);
    expect(await rollBack(store, queue)).toEqual({ moved: 3, ...NOTHING });
    const old = await worker(queue, 'stable');
    await eventually(() => old.ran.length === 3);
    expect(old.ids).toEqual(ids(jobs));
  });
});

describe('depths and dead jobs of BullMQ', () => {
  it('are what BullMQ counts', async () => {
    const store = openStore();
    const queue = aBullmqQueue();
    const none = { ...NOTHING, oldestAgeMs: null };
    expect(await store.readDepths(queue)).toEqual({ lanes: { stable: none, canary: none }, dead: 0 });
    await enqueue(store, queue, aJob({ enqueuedAt: Date.UTC(2020, 0) }), aJob(), aJob({ lane: 'canary' }));
    const { lanes } = await store.readDepths(queue);
    expect([lanes.stable.waiting, lanes.canary.waiting]).toEqual([2, 1]);
    expect(lanes.stable.oldestAgeMs).toBeGreaterThan(365 * 86_400_000);
    expect(lanes.canary.oldestAgeMs).toBeLessThan(86_400_000);
  });

  it('can be listed, latest first, requeued to either lane, and dropped', async () => {
    const store = openStore();
    const queue = aBullmqQueue();
    let isBroken = true;
    const process = async (): Promise<void> => {
      if (isBroken) throw new Error('no such account');
    };
    const [old, young] = [await worker(queue, 'stable', process), await worker(queue, 'canary', process)];
    const jobs = [aJob(), aJob({ lane: 'canary' }), aJob({ id: 'order:7' }), aJob()];
    for (const [i, job] of jobs.entries()) {
      await enqueue(store, queue, job);
      await eventually(async () => (await store.readDepths(queue)).dead === i + 1);
    }
    const { total, jobs: dead } = await store.listDeadJobs(queue, { offset: 1, limit: 2 });
    expect(total).toBe(4);
    expect(dead).toMatchObject([
      {
        id: 'stable:order%3A7',
        lane: 'stable',
        reason: 'no such account',
        content: { job: { id: 'order:7' } },
      },
      { id: `canary:${jobs[1]!.id}`, lane: 'canary', content: { job: { attempt: 1 } } },
    ]);
    expect(dead[0]?.content).toMatchObject({ job: { body: Buffer.from(jobs[2]!.body) } });
    isBroken = false;
    const { count } = await store.requeueDeadJobs(queue, [dead[0]!.id, dead[1]!.id, 'stable:none'], 'stable');
    expect(count).toBe(2);
    await eventually(() => old.ran.length === 5);
    expect(old.ids.slice(-2).toSorted()).toEqual(['order%3A7', jobs[1]!.id].toSorted());
    expect(young.ran).toHaveLength(1);
    expect(await store.dropDeadJobs(queue, [`stable:${jobs[3]!.id}`, 'stable:none'])).toEqual({ count: 1 });
    expect(await store.requeueDeadJobs(queue, 'all', 'stable')).toEqual({ count: 1 });
    await eventually(() => old.ran.length === 6);
    expect(await store.dropDeadJobs(queue, 'all')).toEqual({ count: 0 });
  });
});
