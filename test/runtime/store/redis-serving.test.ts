import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { KEYS } from '../../../src/runtime/store/redis/keys.ts';
import type { Store } from '../../../src/runtime/store/store.ts';
import { startRedis, type RedisServer } from '../../helpers/redis.ts';
import { openTestStore } from './redis-fixture.ts';
import { aWorker } from './samples.ts';

/** The index of who serves which queue is made of the workers, so it can be made again. */

let server: RedisServer;
let client: Redis;
let store: Store;

beforeAll(async () => {
  server = await startRedis();
  client = server.client();
});
afterAll(() => server[Symbol.asyncDispose]());

beforeEach(async () => {
  await client.flushall();
  store = openTestStore(server.url);
  const opened = store;
  onTestFinished(() => opened.close());
  for (const id of ['a', 'b']) await store.saveWorker(aWorker({ id, queues: ['payments', 'mails'] }), 0);
});

async function idsOf(queue: string): Promise<readonly string[]> {
  return (await store.listWorkers({ queue })).map(({ id }) => id);
}

test('an index that is gone is made anew', async () => {
  await client.del(KEYS.serving);
  expect(await idsOf('payments')).toEqual(['a', 'b']);
  expect(await client.zcard(KEYS.serving)).toBe(6);
});

test('so is one that has missed a worker, or has one too many', async () => {
  const worker = await client.hget(KEYS.workers, 'a');
  await client.hset(KEYS.workers, 'c', worker!.replace('"id":"a"', '"id":"c"'));
  await client.hset(KEYS.routing, 'c', (await client.hget(KEYS.routing, 'a'))!);
  expect(await idsOf('mails')).toEqual(['a', 'b', 'c']);
  await client.hdel(KEYS.workers, 'b');
  await client.hdel(KEYS.routing, 'b');
  expect(await idsOf('mails')).toEqual(['a', 'c']);
  expect(await client.zcard(KEYS.serving)).toBe(6);
});

test('a worker whose routing is damaged serves no queue, and is in the list of all', async () => {
  await client.hset(KEYS.routing, 'a', '{"queues":[7,');
  await client.del(KEYS.serving);
  expect(await idsOf('payments')).toEqual(['b']);
  expect((await store.listWorkers()).map(({ id }) => id)).toEqual(['a', 'b']);
  // Registered again it serves what it says.
  await store.saveWorker(aWorker({ id: 'a', queues: ['mails'], recordVersion: 2 }), 1);
  expect(await idsOf('mails')).toEqual(['a', 'b']);
});
