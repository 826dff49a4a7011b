import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LANE_KINDS } from '../../../src/core/lane-keys.ts';
import { startRedisCluster, type RedisCluster } from '../../helpers/redis.ts';
import { describeLaneContract } from './contract-lanes.ts';
import { aConsumer, aJob, enqueue, idsOf } from './lane-fixture.ts';
import { eventually } from './recorder.ts';
import { openTestStore, withStore } from './redis-fixture.ts';

describe.each(LANE_KINDS)('lanes that are %ss on a Redis Cluster:', (kind) => {
  let cluster: RedisCluster;

  beforeAll(async () => {
    cluster = await startRedisCluster();
  });

  afterAll(() => cluster[Symbol.asyncDispose]());

  describeLaneContract(async () => {
    const store = openTestStore(cluster.url);
    const other = openTestStore(cluster.url);
    return {
      store,
      other,
      kind,
      elapse: () => undefined,
      async [Symbol.asyncDispose]() {
        await Promise.all([store.close(), other.close()]);
      },
    };
  });

  it('a queue without a hash tag is refused, with how to write it', async () => {
    await withStore(cluster.url, async (store) => {
      const refusal = {
        code: 'QUEUE_UNAVAILABLE',
        message: expect.stringMatching(/must share a slot.*no hash tag: call the queue "\{payments\}"/),
      };
      const keyTemplate = 'queue:{queue}';
      for (const queue of [
        { name: 'payments', kind },
        { name: 'payments', kind, keyTemplate },
      ]) {
        await expect(enqueue(store, queue, aJob())).rejects.toMatchObject(refusal);
      }
      const tagged = { name: '{payments}', kind, keyTemplate };
      expect(await enqueue(store, tagged, aJob())).toMatchObject({ kind: 'stored' });
    });
  });

  it('the keys of a queue are all on one node', async () => {
    const clients = cluster.nodes.map((node) => node.client());
    await Promise.all(clients.map((client) => client.flushall()));
    await withStore(cluster.url, async (store) => {
      await enqueue(
        store,
        { name: 'a{tag}b', kind },
        aJob({ body: Buffer.from('x') }),
        aJob({ lane: 'canary' }),
      );
    });
    const sizes = await Promise.all(clients.map(async (client) => (await client.keys('*{tag}*')).length));
    expect(sizes.toSorted((a, b) => a - b)).toEqual([0, 0, 4]);
  });

  it('one that waits on a living node is served also while another node is down', async () => {
    await using partial = await startRedisCluster();
    const queue = { name: '{payments}', kind };
    await withStore(partial.url, (store) => enqueue(store, queue, aJob({ lane: 'canary' })));
    for (const node of partial.nodes) {
      await node.client().config('SET', 'cluster-require-full-coverage', 'no');
    }
    for (const node of partial.nodes) {
      if ((await node.client().dbsize()) === 0) {
        await node.kill();
        break;
      }
    }
    await withStore(partial.url, async (store) => {
      const consumer = aConsumer(store);
      const job = aJob();
      const waiting = (async () => {
        for (;;) {
          const taken = await consumer.take(queue, 'stable', { max: 1, waitMs: 1_000 }).catch(() => []);
          if (taken.length > 0) return taken;
        }
      })();
      await eventually(async () => (await enqueue(store, queue, job).catch(() => undefined)) !== undefined);
      expect(idsOf(await waiting)).toEqual([job.id]);
    });
  });
});
