import { afterAll, beforeAll, describe } from 'vitest';
import { LANE_KINDS } from '../../../src/core/lane-keys.ts';
import { startRedis, type RedisServer } from '../../helpers/redis.ts';
import { describeLaneContract } from './contract-lanes.ts';
import { openTestStore } from './redis-fixture.ts';

describe.each(LANE_KINDS)('lanes that are Redis %ss:', (kind) => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await startRedis();
  });

  afterAll(() => server[Symbol.asyncDispose]());

  describeLaneContract(async () => {
    await server.client().flushall();
    const store = openTestStore(server.url);
    const other = openTestStore(server.url);
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
});
