import { afterAll, beforeAll, describe } from 'vitest';
import { startRedisCluster, type RedisCluster } from '../../helpers/redis.ts';
import { describeStoreContract } from './contract.ts';
import { eventually } from './recorder.ts';
import { openTestStore } from './redis-fixture.ts';

describe('the Redis store on a Cluster', () => {
  let cluster: RedisCluster;

  beforeAll(async () => {
    cluster = await startRedisCluster();
  });

  afterAll(() => cluster[Symbol.asyncDispose]());

  describeStoreContract(async () => {
    await allPassedOn(cluster);
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

/**
 * What the test before has published is with its subscribers, and not on the way to those of the next. Nodes pass on what
 * is published one after the other: what was published before these marks is there before them.
 */
async function allPassedOn({ nodes }: RedisCluster): Promise<void> {
  const clients = nodes.map((node) => ({ publisher: node.client(), subscriber: node.client() }));
  const marks = clients.map((_, i) => `mark ${i}`);
  const heard = clients.map(() => new Set<string>());
  for (const [i, { subscriber }] of clients.entries()) {
    subscriber.on('message', (_channel, mark) => heard[i]!.add(mark));
    await subscriber.subscribe('marks');
  }
  await eventually(async () => {
    // A new node may still be making its connections to the others; until then it passes on nothing.
    await Promise.all(clients.map(({ publisher }, i) => publisher.publish('marks', marks[i]!)));
    return heard.every(({ size }) => size === marks.length);
  });
  for (const { publisher, subscriber } of clients) {
    publisher.disconnect();
    subscriber.disconnect();
  }
}
