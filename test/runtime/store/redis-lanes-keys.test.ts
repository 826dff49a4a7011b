import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { LANE_KINDS, type LaneQueue } from '../../../src/core/lane-keys.ts';
import type { Store } from '../../../src/runtime/store/store.ts';
import { startRedis, type RedisServer } from '../../helpers/redis.ts';
import {
  aConsumer,
  aJob,
  anAttempt,
  enqueue,
  HEAD,
  ids,
  jobIn,
  LONG_MS,
  someJobs,
  takeNow,
} from './lane-fixture.ts';
import { openTestStore } from './redis-fixture.ts';

/** What others see who use Redis themselves. */
describe('lanes in Redis', () => {
  let server: RedisServer;
  let client: Redis;

  beforeAll(async () => {
    server = await startRedis();
    client = server.client();
  });

  beforeEach(() => client.flushall());

  afterAll(() => server[Symbol.asyncDispose]());

  function open(): Store {
    const store = openTestStore(server.url);
    onTestFinished(() => store.close());
    return store;
  }

  const sidekiq = { name: 'payments', kind: 'list', keyTemplate: 'queue:{queue}', envelope: 'raw' } as const;

  it('give a worker that reads its list with BRPOP exactly the bodies, oldest first, canary in a list beside it', async () => {
    const store = open();
    const bodies = ['{"jid":1}', 'ünï', 'three'].map((text) => Buffer.from(text));
    const binary = Uint8Array.of(0, 255, 254, 10);
    await enqueue(
      store,
      sidekiq,
      ...bodies.map((body) => aJob({ body })),
      aJob({ lane: 'canary', body: binary }),
    );
    const popped = [];
    for (const _ of bodies) popped.push((await client.brpopBuffer('queue:payments', 1))?.[1]);
    expect(popped).toEqual(bodies);
    expect((await client.brpopBuffer('queue:payments@canary', 1))?.[1]).toEqual(Buffer.from(binary));
    expect(await client.exists('queue:payments', 'queue:payments@canary')).toBe(0);
  });

  it('take from a list what others pushed to it, and a job that is tried again is its body alone', async () => {
    const store = open();
    await client.lpush('queue:payments', 'first');
    await client.lpush('queue:payments', 'second');
    const consumer = aConsumer(store);
    const taken = await takeNow(consumer, sidekiq);
    expect(taken.map((job) => Buffer.from(jobIn(job).body).toString())).toEqual(['first', 'second']);
    for (const job of taken) await consumer.retry(job, { delayMs: 0, lane: 'canary', ended: anAttempt() });
    await store.releaseDueJobs(sidekiq, 10);
    expect(await client.lrange('queue:payments@canary', 0, -1)).toEqual(['second', 'first']);
  });

  it('wake one that waits when somebody else pushes', async () => {
    const waiting = aConsumer(open()).take(sidekiq, 'stable', { max: 1, waitMs: LONG_MS });
    await client.lpush('queue:payments', 'theirs');
    expect((await waiting).map((job) => Buffer.from(jobIn(job).body).toString())).toEqual(['theirs']);
  });

  const stream = { name: 'payments', kind: 'stream', envelope: 'raw' } as const;

  it('give a worker that reads its stream with XREADGROUP the bodies, in the field `body`', async () => {
    const store = open();
    await client.xgroup('CREATE', 'payments', 'workers', '0', 'MKSTREAM');
    await enqueue(store, stream, aJob({ body: Buffer.from('one') }), aJob({ body: Buffer.from('two') }));
    const read = await client.xreadgroup('GROUP', 'workers', 'w1', 'COUNT', 10, 'STREAMS', 'payments', '>');
    expect(read).toMatchObject([
      [
        'payments',
        [
          [expect.any(String), ['body', 'one']],
          [{}, ['body', 'two']],
        ],
      ],
    ]);
  });

  it('take entries of a stream that others wrote: those without a body as a JSON object of their fields', async () => {
    await client.xadd('payments', '*', 'body', 'theirs', 'source', 'cron');
    await client.xadd('payments', '*', 'amount', '5', 'to', 'anna');
    const bodies = (await takeNow(aConsumer(open()), stream)).map((job) =>
      Buffer.from(jobIn(job).body).toString(),
    );
    expect(bodies[0]).toBe('theirs');
    expect(JSON.parse(bodies[1] ?? '')).toEqual({ amount: '5', to: 'anna' });
  });

  it('go on when somebody destroys the group of a stream: nothing is lost, what was in hands comes again', async () => {
    const store = open();
    const queue = { name: 'payments', kind: 'stream' } as const;
    const jobs = someJobs(4);
    await enqueue(store, queue, ...jobs);
    const consumer = aConsumer(store);
    const [first, second] = await takeNow(consumer, queue, 'stable', 2);
    if (first === undefined || second === undefined) throw new Error('no jobs');
    await client.xgroup('DESTROY', 'payments', 'lanewise');
    // Nobody else has it, so it is still its to finish.
    expect(await consumer.acknowledge(first)).toEqual({ kind: 'done' });
    const next = aConsumer(store);
    expect((await takeNow(next, queue)).map((job) => jobIn(job).id)).toEqual(ids(jobs).slice(1));
    expect(await consumer.acknowledge(second)).toEqual({ kind: 'lost' });
  });

  it('go on when the group is destroyed, or the stream deleted, under one that waits', async () => {
    const store = open();
    const queue = { name: 'payments', kind: 'stream' } as const;
    const consumer = aConsumer(store);
    for (const spoil of [
      () => client.xgroup('DESTROY', 'payments', 'lanewise'),
      () => client.del('payments'),
    ]) {
      const waiting = consumer.take(queue, 'stable', { max: 1, waitMs: LONG_MS });
      await blocked(client);
      await spoil();
      const job = aJob();
      await enqueue(store, queue, job);
      const [taken] = await waiting;
      expect(taken && jobIn(taken).id).toBe(job.id);
      if (taken !== undefined) await consumer.acknowledge(taken);
    }
  });

  it('take a group that counts no lag, since entries were deleted by hand', async () => {
    const store = open();
    const queue = { name: 'payments', kind: 'stream' } as const;
    await enqueue(store, queue, ...someJobs(6));
    const consumer = aConsumer(store);
    await takeNow(consumer, queue, 'stable', 2);
    const entries = await client.xrange('payments', '-', '+');
    await client.xdel('payments', entries[3]?.[0] ?? '');
    expect((await store.readDepths(queue)).lanes.stable).toMatchObject({ waiting: 3, inFlight: 2 });
    await takeNow(consumer, queue);
    expect((await store.readDepths(queue)).lanes.stable).toMatchObject({ waiting: 0, inFlight: 5 });
  });

  describe.each(LANE_KINDS)(
    'refuse, as %ss, a key that holds something else, by its name, and change nothing:',
    (kind) => {
      const queue: LaneQueue = { name: 'payments', kind };
      const wrong = (key: string, needed: string) => ({
        code: 'QUEUE_UNAVAILABLE',
        message: expect.stringContaining(
          `the Redis key "${key}" holds a string where the queue needs a ${needed}`,
        ),
      });

      it('a lane', async () => {
        const store = open();
        await client.set('payments@canary', 'theirs');
        const jobs = [aJob(), aJob({ lane: 'canary' })];
        const refusal = wrong('payments@canary', kind);
        await expect(enqueue(store, queue, ...jobs)).rejects.toMatchObject(refusal);
        await expect(takeNow(aConsumer(store), queue, 'canary')).rejects.toMatchObject(refusal);
        await expect(store.drainLane(queue, 'canary', 'stable', 10)).rejects.toMatchObject(refusal);
        await expect(store.readDepths(queue)).rejects.toMatchObject(refusal);
        expect(await client.keys('payments*')).toEqual(['payments@canary']);
        // Not in the ledger either: once the key is free, they are stored.
        await client.del('payments@canary');
        expect(await enqueue(store, queue, ...jobs)).toMatchObject({
          jobs: [{ kind: 'stored' }, { kind: 'stored' }],
        });
      });

      it('the place of the dead', async () => {
        const store = open();
        await client.set('payments:dead', 'theirs');
        await enqueue(store, queue, aJob());
        const consumer = aConsumer(store);
        const [job] = await takeNow(consumer, queue);
        if (job === undefined) throw new Error('no job');
        await expect(consumer.bury(job, { reason: 'poison' })).rejects.toMatchObject(
          wrong('payments:dead', 'zset'),
        );
        await expect(store.listDeadJobs(queue, { offset: 0, limit: 1 })).rejects.toMatchObject(
          wrong('payments:dead', 'zset'),
        );
        await client.del('payments:dead');
        expect(await consumer.bury(job, { reason: 'poison' })).toEqual({ kind: 'done' });
        expect((await store.readDepths(queue)).dead).toBe(1);
      });
    },
  );

  it('leave no keys behind but the ledger and their counters when all is done', async () => {
    const store = open();
    const queue = { name: 'payments', kind: 'list' } as const;
    await store.enqueueJobs(queue, someJobs(3), { routedBy: HEAD, ledgerTtlMs: 50 });
    const consumer = aConsumer(store);
    for (const job of await takeNow(consumer, queue)) await consumer.acknowledge(job);
    await consumer.close();
    await store.recoverJobs(queue);
    const left = (await client.keys('payments*')).filter((key) => !key.includes(':job:'));
    expect(left).toEqual(['payments:lanewise:position']);
  });
});

async function blocked(client: Redis): Promise<void> {
  await expect.poll(async () => client.info('clients')).toMatch(/blocked_clients:[1-9]/);
}
