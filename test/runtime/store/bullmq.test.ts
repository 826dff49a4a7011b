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
  NOTHING,
  openBullmqStore,
} from './bullmq-fixture.ts';
import { aConsumer, aJob, enqueue, ids, someJobs, takeNow } from './lane-fixture.ts';
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

describe('jobs for the workers of BullMQ', () => {
  it('have the data and the name that their producer sent', async () => {
    const store = openStore();
    const queue = aBullmqQueue();
    const stable = await worker(queue, 'stable');
    const jobs = [
      aJob({ path: '/invoices/charge?dry=1', body: Buffer.from('{"amount":1999,"lines":[1,{"a":null}]}') }),
      aJob({ path: '', body: Buffer.from('not {json} é') }),
      aJob({ body: Buffer.from([0xff, 0x00]) }),
      aJob({ body: Buffer.alloc(0) }),
      aJob({ id: 'order:7', body: Buffer.from('"text"') }),
    ];
    expect(await enqueue(store, queue, ...jobs)).toEqual({
      kind: 'stored',
      jobs: jobs.map(() => ({ kind: 'stored', lane: 'stable' })),
    });
    await eventually(() => stable.ran.length === jobs.length);
    expect(stable.ran.map(({ id, name, data }) => [id, name, data])).toEqual([
      [jobs[0]!.id, 'charge', { amount: 1999, lines: [1, { a: null }] }],
      [jobs[1]!.id, queue.name, { body: 'not {json} é' }],
      [jobs[2]!.id, queue.name, { body: '/wA=', encoding: 'base64' }],
      [jobs[3]!.id, queue.name, {}],
      ['order%3A7', queue.name, 'text'],
    ]);
  });

  it('go to the queue of their lane', async () => {
    const store = openStore();
    const queue = aBullmqQueue();
    const [stable, canary] = [await worker(queue, 'stable'), await worker(queue, 'canary')];
    const [old, young] = [someJobs(20), someJobs(20, { lane: 'canary' })];
    await enqueue(store, queue, ...old, ...young);
    await eventually(() => stable.ran.length + canary.ran.length === 40);
    expect(stable.ids).toEqual(ids(old));
    expect(canary.ids).toEqual(ids(young));
  });

  it('are stored once, also when they were executed and forgotten long since', async () => {
    const store = openStore({ jobOptions: '{removeOnComplete: true}' });
    const queue = aBullmqQueue();
    const stable = await worker(queue, 'stable');
    const job = aJob();
    expect(await enqueue(store, queue, job, job)).toMatchObject({
      jobs: [{ kind: 'stored' }, { kind: 'known', lane: 'stable' }],
    });
    const bullmq = queueOf(queue, 'stable');
    await eventually(async () => stable.ran.length === 1 && (await bullmq.getJob(job.id)) === undefined);
    expect(await enqueue(store, queue, { ...job, lane: 'canary' })).toEqual({
      kind: 'stored',
      jobs: [{ kind: 'known', lane: 'stable' }],
    });
    expect((await store.readDepths(queue)).lanes.canary).toMatchObject(NOTHING);
    expect(stable.ran).toHaveLength(1);
  });

  it('have the options of the queue, and over those their own', async () => {
    const store = openStore({ jobOptions: '{attempts: 3, removeOnFail: 10}' });
    const queue = aBullmqQueue();
    const headers = {
      'x-bullmq-options': '{"attempts":7,"delay":600000,"backoff":{"type":"fixed","delay":5}}',
    };
    const trace = { traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01` };
    const [plain, own] = [aJob({ trace }), aJob({ headers })];
    await enqueue(store, queue, plain, own);
    const bullmq = queueOf(queue, 'stable');
    const stored = await bullmq.getJob(plain.id);
    expect(stored?.opts).toMatchObject({ attempts: 3, removeOnFail: 10 });
    expect(JSON.parse(stored!.opts.telemetry!.metadata!)).toEqual(trace);
    expect(stored?.timestamp).toBe(plain.enqueuedAt);
    const delayed = await bullmq.getJob(own.id);
    expect(delayed?.opts).toMatchObject({
      attempts: 7,
      delay: 600_000,
      backoff: { type: 'fixed', delay: 5 },
    });
    expect(await delayed!.getState()).toBe('delayed');
  });

  it('are refused if they were routed before a fence, all of a call', async () => {
    const store = openStore();
    const queue = aBullmqQueue();
    await store.fenceQueue(queue, 'acme', LATER);
    const jobs = [aJob(), aJob({ tenant: 'acme' })];
    expect(await enqueue(store, queue, ...jobs)).toEqual({ kind: 'stale' });
    expect(await enqueue(store, queue, aJob({ tenant: 'other' }))).toMatchObject({ kind: 'stored' });
    expect(await store.enqueueJobs(queue, jobs, { routedBy: LATER })).toMatchObject({
      jobs: [{ kind: 'stored' }, { kind: 'stored' }],
    });
    expect((await store.readDepths(queue)).lanes.stable.waiting).toBe(3);
  });

  it('are never taken by a proxy', async () => {
    const store = openStore();
    const queue = aBullmqQueue();
    await enqueue(store, queue, aJob());
    const consumer = aConsumer(store);
    await expect(takeNow(consumer, queue)).rejects.toMatchObject({
      code: 'QUEUE_UNAVAILABLE',
      message: `the jobs of ${queue.name} are taken by BullMQ's workers`,
    });
    expect(await store.recoverJobs(queue)).toEqual({ recovered: 0 });
    expect(await store.releaseDueJobs(queue, 10)).toEqual({ released: 0, nextInMs: null });
    // Other queues are as ever.
    const list: LaneQueue = { name: `${queue.name}-list`, kind: 'list' };
    const job = aJob();
    await enqueue(store, list, job);
    expect(await takeNow(consumer, list)).toMatchObject([{ content: { job: { id: job.id } } }]);
  });

  it('can not be in a stream, nor where something else is', async () => {
    const store = openStore();
    const queue = aBullmqQueue();
    await expect(enqueue(store, { ...queue, kind: 'stream' }, aJob())).rejects.toMatchObject({
      code: 'QUEUE_UNAVAILABLE',
      message: `queues.${queue.name}.envelope is bullmq, which goes with the routing strategy split_queue alone`,
    });
    await server.client().set(`bull:${queue.name}:wait`, 'x');
    await expect(enqueue(store, queue, aJob())).rejects.toMatchObject({
      code: 'QUEUE_UNAVAILABLE',
      message: expect.stringContaining('holds something else'),
    });
  });
});

describe('a call that broke off', () => {
  it('before BullMQ had the job: the next one stores it', async () => {
    const queue = aBullmqQueue();
    const store = openStore(bullmqThat(() => Promise.reject(new Error('Connection is closed.'))));
    const job = aJob();
    await expect(enqueue(store, queue, job)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(await enqueue(store, queue, job)).toMatchObject({ jobs: [{ kind: 'stored', lane: 'stable' }] });
    expect((await store.readDepths(queue)).lanes.stable.waiting).toBe(1);
  });

  it('after BullMQ had it: the next one finds it, in the lane of the first', async () => {
    const queue = aBullmqQueue();
    const store = openStore(
      bullmqThat(async (add) => {
        await add();
        throw new Error('Connection is closed.');
      }),
    );
    const job = aJob({ lane: 'canary' });
    await expect(enqueue(store, queue, job)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    const again = await enqueue(store, queue, { ...job, lane: 'stable' });
    expect(again).toMatchObject({ jobs: [{ kind: 'known', lane: 'canary' }] });
    const { lanes } = await store.readDepths(queue);
    expect([lanes.stable.waiting, lanes.canary.waiting]).toEqual([0, 1]);
  });

  it('and whose lane was given up since: what it left there goes to stable, what it did not is routed anew', async () => {
    const queue = aBullmqQueue();
    const [left, lost] = [aJob({ lane: 'canary' }), aJob({ lane: 'canary' })];
    const breaking = openStore(
      bullmqThat(async (add) => {
        await add();
        throw new Error('Connection is closed.');
      }),
    );
    await expect(enqueue(breaking, queue, left)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    const store = openStore(bullmqThat(() => Promise.reject(new Error('Connection is closed.'))));
    await expect(enqueue(store, queue, lost)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await store.fenceQueue(queue, undefined, LATER);
    const again = [left, lost].map((job) => ({ ...job, lane: 'stable' }) as const);
    expect(await store.enqueueJobs(queue, again, { routedBy: LATER })).toEqual({
      kind: 'stored',
      jobs: [
        { kind: 'known', lane: 'stable' },
        { kind: 'stored', lane: 'stable' },
      ],
    });
    const { lanes } = await store.readDepths(queue);
    expect([lanes.stable.waiting, lanes.canary.waiting]).toEqual([2, 0]);
  });

  it('while Redis was away is answered in time, and works again when it is back', async () => {
    await using other = await startRedis({ persistent: true });
    const store = openBullmqStore(other.url);
    const queue = aBullmqQueue();
    const job = aJob();
    await enqueue(store, queue, aJob());
    await other.kill();
    await expect(enqueue(store, queue, job)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await expect(store.readDepths(queue)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await other.start();
    await eventually(async () => (await enqueue(store, queue, job).catch(() => undefined)) !== undefined);
    await eventually(async () => (await store.readDepths(queue)).lanes.stable.waiting === 2);
  });
});
