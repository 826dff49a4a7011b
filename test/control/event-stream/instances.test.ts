import { expect, test } from 'vitest';
import { eventsKey } from '../../../src/runtime/store/redis/keys.ts';
import { startRedis, type RedisServer } from '../../helpers/redis.ts';
import { openTestStore } from '../../runtime/store/redis-fixture.ts';
import { created } from '../harness.ts';
import {
  eventually,
  HEADERS,
  percentages,
  refused,
  setPercentage,
  startPlane,
  subscribe,
  type Plane,
} from './clients.ts';

async function onRedis(url: string): Promise<Plane> {
  const store = openTestStore(url);
  const plane = await startPlane({ store, propagationWaitMs: 0 });
  await eventually(() =>
    store.ping().then(
      () => true,
      () => false,
    ),
  );
  return plane;
}

async function inTurn(planes: readonly Plane[], id: string, wanted: readonly number[]): Promise<void> {
  for (const [i, percentage] of wanted.entries()) {
    const plane = planes[i % planes.length]!;
    // While the store is away changes are refused, and made again.
    await eventually(async () => {
      const answer = await plane.call('PUT', `/deployments/${id}/percentage`, { percentage });
      return answer.status === 200;
    });
  }
}

test('a change on one instance is told by every other one on the embedded store', async () => {
  const first = await startPlane();
  const second = await startPlane({ store: first.store });
  const id = await created(first);
  const [here, there] = [await subscribe(first, id), await subscribe(second, id)];
  await setPercentage(first, id, 10);
  await setPercentage(second, id, 20);
  for (const client of [here, there]) expect(percentages(await client.kept(2))).toEqual([10, 20]);
});

test('a change on one instance is told by every other one on Redis, in the same frames', async () => {
  await using server = await startRedis();
  const planes = [await onRedis(server.url), await onRedis(server.url)];
  const id = await created(planes[0]!);
  const clients = await Promise.all(planes.map((plane) => subscribe(plane, id)));
  const wanted = Array.from({ length: 20 }, (_, i) => i + 1);
  await inTurn(planes, id, wanted);
  await planes[1]!.call('POST', `/deployments/${id}/rollback`);
  const heard = await Promise.all(clients.map((client) => client.kept(23)));
  expect(heard[0]).toEqual(heard[1]);
  expect(percentages(heard[0]!)).toEqual([...wanted, 0]);
  await planes[0]!.call('DELETE', `/deployments/${id}`);
  for (const client of clients) expect(await client.closed).toMatchObject({ code: 1000 });
});

test('a stream goes on at another instance where it broke off at one', async () => {
  await using server = await startRedis();
  const planes = [await onRedis(server.url), await onRedis(server.url)];
  const id = await created(planes[0]!);
  // Watched, so that this one's log is the one to be compared with what the other has told.
  await subscribe(planes[1]!, id);
  const wanted = Array.from({ length: 40 }, (_, i) => i + 1);
  const first = await subscribe(planes[0]!, id);
  const changing = inTurn(planes, id, wanted);
  let since = (await first.kept(1))[0]!.id as string;
  const got = [...percentages((await first.kept(1)).slice(0, 1))];
  first.socket.terminate();
  for (let turn = 1; got.length < wanted.length; turn++) {
    const client = await subscribe(planes[turn % 2]!, id, `?since=${since}`);
    await client.kept(1);
    client.socket.terminate();
    await client.closed;
    const frames = await client.kept(1);
    got.push(...percentages(frames));
    since = frames.at(-1)!.id as string;
  }
  await changing;
  expect(got).toEqual(wanted);
});

test('a restart of Redis in between loses nothing: its clients stay and miss no frame', async () => {
  await using server = await startRedis({ persistent: true });
  const planes = [await onRedis(server.url), await onRedis(server.url)];
  const id = await created(planes[0]!);
  const clients = await Promise.all(planes.map((plane) => subscribe(plane, id)));
  const wanted = Array.from({ length: 30 }, (_, i) => i + 1);
  const half = inTurn(planes, id, wanted.slice(0, 15));
  await clients[0]!.kept(5);
  await server.kill();
  await server.start();
  await half;
  await inTurn(planes, id, wanted.slice(15));
  for (const client of clients) {
    await eventually(async () => percentages(client.frames).at(-1) === 30);
    const kept = await client.kept(30);
    // A change whose answer was lost is made twice.
    expect([...new Set(percentages(kept))]).toEqual(wanted);
    expect(new Set(kept.map((f) => f.id)).size).toBe(kept.length);
  }
  const list = await planes[0]!.call('GET', `/deployments/${id}/events`);
  const ids = list.body.events.map((e: { id: string }) => e.id).toReversed() as string[];
  expect((await clients[0]!.kept(30)).map((f) => f.id)).toEqual(ids.slice(1));
});

test('while Redis is away a new stream is refused, and taken when it is back', async () => {
  await using server = await startRedis({ persistent: true });
  const plane = await onRedis(server.url);
  const id = await created(plane);
  await server.kill();
  const answer = await refused(plane, id, { headers: HEADERS });
  expect(answer).toMatchObject({
    status: 503,
    headers: { 'retry-after': '1' },
    body: { code: 'STORE_UNAVAILABLE' },
  });
  await server.start();
  await eventually(async () => (await plane.call('GET', `/deployments/${id}`)).status === 200);
  const client = await subscribe(plane, id);
  await setPercentage(plane, id, 5);
  expect(percentages(await client.kept(1))).toEqual([5]);
});

test('what was published while an instance heard nothing is told when it hears again', async () => {
  await using server = await startRedis();
  const [deaf, other] = [await onRedis(server.url), await onRedis(server.url)];
  const id = await created(deaf);
  const client = await subscribe(deaf, id);
  await setPercentage(other, id, 1);
  await client.kept(1);
  const redis = server.client();
  await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await setPercentage(other, id, 2);
  await setPercentage(other, id, 3);
  expect(percentages(await client.kept(3))).toEqual([1, 2, 3]);
});

test('a message that was lost on its way is noticed by the next one', async () => {
  await using server = await startRedis();
  const plane = await onRedis(server.url);
  const id = await created(plane);
  const client = await subscribe(plane, id);
  await keepSilently(server, id, 77);
  await setPercentage(plane, id, 78);
  expect(percentages(await client.kept(2))).toEqual([77, 78]);
});

test('a message that was lost, with no other after it, is noticed at the next look', async () => {
  await using server = await startRedis();
  const store = openTestStore(server.url);
  const plane = await startPlane({ store, eventStream: { metricsIntervalMs: 20 } });
  const id = await created(plane);
  const client = await subscribe(plane, id);
  await keepSilently(server, id, 77);
  const deployment = (await store.getDeployment(id))!;
  await store.saveDeployment({ deployment: { ...deployment, version: 2 }, expectedVersion: 1, events: [] });
  expect(percentages(await client.kept(1))).toEqual([77]);
});

/** Behind the back of the store, as if its message had not come. */
async function keepSilently(server: RedisServer, id: string, new_percentage: number): Promise<void> {
  const redis = server.client();
  const [first] = await redis.lrange(eventsKey(id), -1, -1);
  const data = { old_percentage: 0, new_percentage };
  const event = { ...(JSON.parse(first!) as object), id: 'event_lost', type: 'percentage_updated', data };
  await redis.lpush(eventsKey(id), JSON.stringify(event));
}
