import { Worker } from 'bullmq';
import { Cluster } from 'ioredis';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { startRedisCluster, type RedisCluster } from '../../helpers/redis.ts';
import { aBullmqQueue, NOTHING, openBullmqStore, rollBack } from './bullmq-fixture.ts';
import { aJob, enqueue, ids, someJobs } from './lane-fixture.ts';
import { eventually } from './recorder.ts';

let cluster: RedisCluster;

beforeAll(async () => {
  cluster = await startRedisCluster();
});
afterAll(() => cluster[Symbol.asyncDispose]());

it('queues of BullMQ with a hash tag are on a Cluster as elsewhere', async () => {
  const store = openBullmqStore(cluster.url);
  const queue = aBullmqQueue();
  const jobs = someJobs(60, { lane: 'canary' });
  await enqueue(store, queue, ...jobs);
  expect(await rollBack(store, queue)).toEqual({ moved: 60, ...NOTHING });
  const ran: string[] = [];
  const nodes = cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
  const connection = new Cluster(nodes, { redisOptions: { maxRetriesPerRequest: null } });
  const worker = new Worker(queue.name, async ({ id }) => void ran.push(id!), { connection });
  onTestFinished(async () => {
    await worker.close();
    connection.disconnect();
  });
  await eventually(() => ran.length === 60);
  expect(ran).toEqual(ids(jobs));
});

it('queues of BullMQ without a hash tag are refused on a Cluster, with how to write it', async () => {
  const store = openBullmqStore(cluster.url);
  const queue = { ...aBullmqQueue(), name: 'payments' };
  const refusal = {
    code: 'QUEUE_UNAVAILABLE',
    message: expect.stringMatching(/no hash tag: call the queue "\{payments\}"/),
  };
  await expect(enqueue(store, queue, aJob())).rejects.toMatchObject(refusal);
  await expect(store.readDepths(queue)).rejects.toMatchObject(refusal);
});
