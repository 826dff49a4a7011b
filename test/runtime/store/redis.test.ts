import { afterAll, beforeAll, describe } from 'vitest';
import { startRedis, type RedisServer } from '../../helpers/redis.ts';
import { describeStoreContract } from './contract.ts';
import { openTestStore } from './redis-fixture.ts';

describe('the Redis store', () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await startRedis();
  });

  afterAll(() => server[Symbol.asyncDispose]());

  describeStoreContract(async () => {
    await server.client().flushall();
    const store = openTestStore(server.url);
    const other = openTestStore(server.url);
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
