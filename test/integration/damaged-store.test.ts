import { cp } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { KEYS } from '../../src/runtime/store/redis/keys.ts';
import { until } from '../helpers/patience.ts';
import { allApplied, enlist, Fleet } from '../helpers/system.ts';
import { TestWorker } from '../helpers/worker.ts';

/** Whole installations on a Redis in which somebody has had a hand. */

test('a key of another type: the API names it, proxies go on, and all goes on when it is moved away', async () => {
  await using fleet = await Fleet.start(1);
  await using worker = await TestWorker.start('v1');
  await enlist(fleet, { id: 'w', version: 'v1', url: worker.url });
  const id = await fleet.api.createDeployment('v1', 'v2', { initial_percentage: 20 });
  await allApplied(fleet.api, id, 1);
  const client = fleet.redis.client();
  await client.rename(KEYS.routes, 'aside');
  await client.rpush(KEYS.routes, 'theirs');

  const refused = await fleet.api.call('PUT', `/deployments/${id}/percentage`, { percentage: 30 });
  expect(refused).toMatchObject({ status: 503, body: { code: 'STORE_UNAVAILABLE' } });
  expect(refused.body!.error).toContain(`under the key ${KEYS.routes}`);
  expect(await fleet.proxies[0]!.versionsOf(5)).toEqual(new Set(['v1']));
  expect(await fleet.proxies[0]!.percentage()).toBe(20);
  expect(await fleet.proxies[0]!.readiness()).toBe(200);
  for (const { process } of [fleet.controls[0]!, fleet.members[0]!])
    await process.printed(/a key of Redis does not hold what it should/, 'stderr');
  expect(await fleet.api.done('GET', `/deployments/${id}/events`)).toMatchObject({ count: 1 });

  await client.rename('aside', KEYS.routes);
  const moved = (): Promise<boolean> =>
    fleet.api.setPercentage(id, 30).then(
      () => true,
      () => false,
    );
  await until(moved);
  await allApplied(fleet.api, id, 1);
  expect(await fleet.proxies[0]!.percentage()).toBe(30);
});

test('a damaged record: the others are listed, judged and rolled back, and a new proxy gets no routes by a guess', async () => {
  await using fleet = await Fleet.start(1);
  await using worker = await TestWorker.start('v1');
  await enlist(fleet, { id: 'w', version: 'v1', url: worker.url });
  const bad = await fleet.api.createDeployment('v1', 'v2', { queue_name: 'broken' });
  const good = await fleet.api.createDeployment('v1', 'v2', { initial_percentage: 20 });
  await allApplied(fleet.api, good, 1);
  const client = fleet.redis.client();
  const route = (await client.hget(KEYS.routes, 'broken'))!;
  await client.hset(KEYS.deployments, bad, '1 active broken {"id":7}');
  await client.hset(KEYS.routes, 'broken', '2 {"queue":7}');

  const { deployments } = await fleet.api.done('GET', '/deployments');
  expect(deployments).toMatchObject([{ id: good }]);
  expect(await fleet.api.rollBack(good)).toMatchObject({ proxies: 1 });
  await allApplied(fleet.api, good, 1);
  expect(await fleet.proxies[0]!.percentage()).toBe(0);

  const late = fleet.newProxy();
  await late.start();
  await late.process.printed(/routes are damaged, and not known from before: broken/, 'stderr');
  expect(await late.face.readiness()).toBe(503);
  await client.hset(KEYS.routes, 'broken', route);
  await until(async () => (await late.face.readiness()) === 200);
  expect(await late.face.versionsOf(3)).toEqual(new Set(['v1']));
});

test('a proxy on a copied data directory is a proxy of its own', async () => {
  await using fleet = await Fleet.start(1);
  await using worker = await TestWorker.start('v1');
  await enlist(fleet, { id: 'w', version: 'v1', url: worker.url });
  const id = await fleet.api.createDeployment('v1', 'v2');
  await allApplied(fleet.api, id, 1);
  await fleet.members[0]!.process.end('SIGTERM');
  const copy = fleet.newProxy();
  await cp(fleet.members[0]!.dataDir, copy.dataDir, { recursive: true });
  await Promise.all([fleet.members[0]!.start(), copy.start()]);
  await allApplied(fleet.api, id, 2);
  expect(await copy.face.versionsOf(3)).toEqual(new Set(['v1']));
});
