import { describe, expect, it, onTestFinished } from 'vitest';
import { LANE_KINDS } from '../../../src/core/lane-keys.ts';
import type { Store } from '../../../src/runtime/store/store.ts';
import { startRedis, type RedisServer } from '../../helpers/redis.ts';
import {
  aConsumer,
  aJob,
  enqueue,
  ids,
  idsOf,
  jobIn,
  LONG_MS,
  someJobs,
  takeNow,
  takeOne,
} from './lane-fixture.ts';
import { eventually } from './recorder.ts';
import { openTestStore } from './redis-fixture.ts';

function open(url: string): Store {
  const store = openTestStore(url);
  onTestFinished(() => store.close());
  return store;
}

const UNAVAILABLE = { code: 'STORE_UNAVAILABLE' };

async function answersAgain(store: Store): Promise<void> {
  await eventually(() =>
    store.ping().then(
      () => true,
      () => false,
    ),
  );
}

/** Listens from now on, so that nothing is left unhandled. */
async function reasonOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => 'no error',
    (error: unknown) => error,
  );
}

/** Until somebody waits on the server. */
async function someoneWaits(server: RedisServer): Promise<void> {
  const client = server.client();
  await eventually(async () => /blocked_clients:[1-9]/.test(await client.info('clients')));
}

describe.each(LANE_KINDS)('lanes that are Redis %ss, when', (kind) => {
  const queue = { name: '{payments}', kind };

  it('the answer to a producer is lost, tell it when it asks again, and have the job once', async () => {
    await using server = await startRedis();
    const store = open(server.url);
    await enqueue(store, queue, aJob());
    const jobs = someJobs(3, { lane: 'canary' });
    server.pause();
    await expect(enqueue(store, queue, ...jobs)).rejects.toMatchObject(UNAVAILABLE);
    server.resume();
    await answersAgain(store);
    // Whichever of the two the server ran.
    const again = jobs.map((job) => ({ ...job, lane: 'stable' }) as const);
    const result = await enqueue(store, queue, ...again);
    const answers = result.kind === 'stored' ? result.jobs : [];
    const { lanes } = await store.readDepths(queue);
    expect(lanes.stable.waiting + lanes.canary.waiting).toBe(4);
    const lane = lanes.canary.waiting === 3 ? 'canary' : 'stable';
    expect(answers.map((answer) => answer.lane)).toEqual([lane, lane, lane]);
  });

  it('the answer to a take is lost, hand out what it took with the next one', async () => {
    await using server = await startRedis();
    const store = open(server.url);
    const jobs = someJobs(5);
    await enqueue(store, queue, ...jobs);
    const consumer = aConsumer(store);
    const [first] = await takeNow(consumer, queue, 'stable', 1);
    // The command reaches the server, which runs it once it goes on, when the caller has given up.
    server.pause();
    await expect(takeNow(consumer, queue, 'stable', 2)).rejects.toMatchObject(UNAVAILABLE);
    server.resume();
    await answersAgain(store);
    const { inFlight } = (await store.readDepths(queue)).lanes.stable;
    const rest = await takeNow(consumer, queue);
    expect(idsOf(rest)).toEqual(ids(jobs).slice(1));
    expect(rest.map((job) => jobIn(job).attempt)).toEqual([1, 1, 1, 1]);
    expect([1, 3]).toContain(inFlight);
    for (const job of [...rest, ...(first === undefined ? [] : [first])]) {
      expect(await consumer.acknowledge(job)).toEqual({ kind: 'done' });
    }
    expect((await store.readDepths(queue)).lanes.stable).toMatchObject({ waiting: 0, inFlight: 0 });
  });

  it('the answer to a take is lost and its consumer takes no more, put the jobs back with the next heartbeat', async () => {
    await using server = await startRedis();
    const store = open(server.url);
    const jobs = someJobs(3);
    await enqueue(store, queue, ...jobs);
    const consumer = aConsumer(store);
    const [held] = await takeNow(consumer, queue, 'stable', 1);
    server.pause();
    await expect(takeNow(consumer, queue, 'stable', 2)).rejects.toMatchObject(UNAVAILABLE);
    server.resume();
    await answersAgain(store);
    await consumer.heartbeat();
    const taken = await takeNow(aConsumer(store), queue);
    expect(idsOf(taken)).toEqual(ids(jobs).slice(1));
    expect(held && (await consumer.acknowledge(held))).toEqual({ kind: 'done' });
  });

  it('the connection of one that waits is cut as a job comes, keep it for the next take', async () => {
    await using server = await startRedis();
    const store = open(server.url);
    const admin = server.client();
    const consumer = aConsumer(store);
    for (let round = 0; round < 10; round++) {
      const waiting = consumer.take(queue, 'stable', { max: 1, waitMs: LONG_MS }).catch(() => []);
      await someoneWaits(server);
      const waiter = /id=(\d+) [^\n]*cmd=(?:blmove|xreadgroup)/.exec(
        String(await admin.call('CLIENT', 'LIST')),
      )?.[1];
      const job = aJob();
      // In one write: the job goes to the waiting one, whose connection ends before it can be told.
      await Promise.all([
        enqueue(store, queue, job),
        waiter === undefined ? undefined : admin.call('CLIENT', 'KILL', 'ID', waiter),
      ]);
      let taken = await waiting;
      if (taken.length === 0) {
        await answersAgain(store);
        taken = await takeNow(consumer, queue);
      }
      expect(idsOf(taken)).toEqual([job.id]);
      for (const one of taken) await consumer.acknowledge(one);
    }
    expect((await store.readDepths(queue)).lanes.stable).toMatchObject({ waiting: 0, inFlight: 0 });
  });

  it('a consumer is killed as a job reaches it, find the job where it waits for it', async () => {
    await using server = await startRedis();
    const store = open(server.url);
    const dying = openTestStore(server.url);
    const waiting = aConsumer(dying, 300).take(queue, 'stable', { max: 1, waitMs: LONG_MS });
    const failed = reasonOf(waiting);
    await someoneWaits(server);
    const job = aJob();
    await Promise.all([enqueue(store, queue, job), dying.close()]);
    expect(await failed).toMatchObject(UNAVAILABLE);
    const next = aConsumer(store);
    let taken: Awaited<ReturnType<typeof takeNow>> = [];
    await eventually(async () => {
      await store.recoverJobs(queue);
      taken = await takeNow(next, queue);
      return taken.length > 0;
    });
    expect(idsOf(taken)).toEqual([job.id]);
  });

  it('the server restarts with its append-only file, keep everything that was answered', async () => {
    await using server = await startRedis({ persistent: true });
    const store = open(server.url);
    const jobs = someJobs(20);
    const consumer = aConsumer(store);
    const waiting = consumer.take(queue, 'canary', { max: 1, waitMs: LONG_MS });
    const failed = reasonOf(waiting);
    await enqueue(store, queue, ...jobs);
    const held = await takeNow(consumer, queue, 'stable', 5);
    await server.kill();
    expect(await failed).toMatchObject(UNAVAILABLE);
    await server.start();
    await answersAgain(store);
    expect((await store.readDepths(queue)).lanes.stable).toMatchObject({ waiting: 15, inFlight: 5 });
    for (const job of held) expect(await consumer.acknowledge(job)).toEqual({ kind: 'done' });
    expect(await enqueue(store, queue, ...jobs.slice(0, 2))).toMatchObject({ jobs: [{ kind: 'known' }, {}] });
    expect(idsOf(await takeNow(consumer, queue))).toEqual(ids(jobs).slice(5));
  });

  it('the server is away, reject promptly; a closed store does too, also one that waits', async () => {
    await using server = await startRedis();
    const store = open(server.url);
    const waiting = aConsumer(store).take(queue, 'stable', { max: 1, waitMs: LONG_MS });
    const failed = reasonOf(waiting);
    await someoneWaits(server);
    await store.close();
    expect(await failed).toMatchObject(UNAVAILABLE);
    await expect(enqueue(store, queue, aJob())).rejects.toMatchObject(UNAVAILABLE);
    const another = open(server.url);
    await server.stop();
    await expect(enqueue(another, queue, aJob())).rejects.toMatchObject(UNAVAILABLE);
    await expect(takeOne(aConsumer(another), queue)).rejects.toMatchObject(UNAVAILABLE);
  });
});
