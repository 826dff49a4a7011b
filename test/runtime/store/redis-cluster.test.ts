import { afterAll, beforeAll, describe } from 'vitest';
import { startRedisCluster, type RedisCluster } from '../../helpers/redis.ts';
import { describeStoreContract } from './contract.ts';
import { openTestStore } from './redis-fixture.ts';

describe('the Redis store on a Cluster', () => {
  let cluster: RedisCluster;

  beforeAll(async () => {
    cluster = await startRedisCluster();
  });

  afterAll(() => cluster[Symbol.asyncDispose]());

  describeStoreContract(async () => {
    await Promise.all(cluster.nodes.map((node) => node.client().flushall()));
    const store = openTestStore(cluster.url);
    const other = openTestStore(cluster.url);
    return {
      store,
      other,
      elapse: () => undefined,
      async [Symbol.asyncDispose]() {
        await Promise.all([store.close(), other.close()]);
      },
    };
  });
});
