import { describe, expect, onTestFinished, test } from 'vitest';
import { originOf } from '../../../src/core/epoch.ts';
import { rolledBack } from '../../../src/core/route.ts';
import { toRoutedWorker } from '../../../src/core/worker.ts';
import type { RouteSnapshot } from '../../../src/core/routing-table.ts';
import type { Store } from '../../../src/runtime/store/store.ts';
import { startRedis, type RedisServer } from '../../helpers/redis.ts';
import { eventually } from './recorder.ts';
import { openTestStore } from './redis-fixture.ts';
import { aDeployment, aWorker, create, setPercentage } from './samples.ts';

/**
 * Redis loses all of its data while proxies run. Each of them gives the store back what it remembers, some of it older
 * than what others remember, and some people have begun to use the empty store meanwhile.
 */

async function open(server: RedisServer): Promise<Store> {
  const store = openTestStore(server.url);
  onTestFinished(() => store.close());
  await eventually(() =>
    store.ping().then(
      () => true,
      () => false,
    ),
  );
  return store;
}

const NOW = 1_700_000_000_000;

/** Two memories of a store that has been lost: one from before a rollback, one from after it. */
async function lose(
  server: RedisServer,
): Promise<{ store: Store; older: RouteSnapshot; newer: RouteSnapshot }> {
  const store = await open(server);
  const deployment = aDeployment();
  await create(store, deployment);
  await store.saveWorker(aWorker({ id: 'a', version: 'v1.2.0' }), 0);
  await store.saveWorker(aWorker({ id: 'b', version: 'v1.3.0' }), 0);
  const older = await store.readSnapshot();
  await store.saveDeployment({
    deployment: { ...deployment, version: 2, status: 'failed', currentPercent: 0 },
    expectedVersion: 1,
    route: rolledBack((await store.getRoute('payments'))!),
    events: [],
  });
  await store.saveWorker(aWorker({ id: 'a', version: 'v1.2.1', recordVersion: 2 }), 1);
  const newer = await store.readSnapshot();
  await server.client().flushall();
  return { store, older, newer };
}

function byId(snapshot: RouteSnapshot) {
  return Object.fromEntries(snapshot.workers.map((worker) => [worker.id, worker]));
}

describe('a store that has lost everything', () => {
  test('has the routes and workers again, at a later revision, and knows the workers as seen just now', async () => {
    await using server = await startRedis();
    const { store, newer } = await lose(server);
    await store.seedRoutes!(newer, NOW);
    const seeded = await store.readSnapshot();
    expect(seeded.routes).toEqual(newer.routes);
    expect(byId(seeded)).toEqual(byId(newer));
    expect(seeded.revision).toBeGreaterThan(newer.revision);
    expect(originOf(seeded.epoch)).not.toBe(originOf(newer.epoch));
    expect(await store.getWorker('a')).toMatchObject({ recordVersion: 1, registeredAt: NOW });
    expect((await store.listWorkers({ queue: 'payments' })).map(({ id }) => id)).toEqual(['a', 'b']);
    expect([...(await store.listActivity()).keys()].toSorted()).toEqual(['a', 'b']);
  });

  test.each([
    ['first', ['newer', 'older']],
    ['last', ['older', 'newer']],
  ] as const)('goes by who remembers most, also if that one comes %s', async (_, order) => {
    await using server = await startRedis();
    const { store, ...memories } = await lose(server);
    for (const which of order) await store.seedRoutes!(memories[which], NOW);
    const seeded = await store.readSnapshot();
    expect(seeded.routes).toEqual(memories.newer.routes);
    expect(byId(seeded)).toEqual(byId(memories.newer));
    // Those who come with the same memory change nothing.
    await store.seedRoutes!(memories.newer, NOW);
    expect(await store.readHead()).toEqual({ epoch: seeded.epoch, revision: seeded.revision });
  });

  test('keeps what was written to it before and since', async () => {
    await using server = await startRedis();
    const { store, older, newer } = await lose(server);
    await store.saveWorker(aWorker({ id: 'a', version: 'v9' }), 0);
    await store.seedRoutes!(older, NOW);
    expect(byId(await store.readSnapshot())).toMatchObject({
      a: { version: 'v9' },
      b: { version: 'v1.3.0' },
    });
    const next = aDeployment({ stableVersion: 'v1.2.0', canaryVersion: 'v1.4.0' });
    await create(store, next);
    await setPercentage(store, next, 30);
    await store.removeWorker('b', 1);
    await store.seedRoutes!(newer, NOW);
    const { routes, workers } = await store.readSnapshot();
    expect(routes[0]!.split).toMatchObject({ canaryVersion: 'v1.4.0', percentage: 30 });
    expect(workers.map(({ id }) => id)).toEqual(['a']);
  });

  test('takes a backup all the same, which wins', async () => {
    await using server = await startRedis();
    const { store, older, newer } = await lose(server);
    await store.seedRoutes!(newer, NOW);
    const worker = aWorker({ id: 'a', version: 'v1.2.0' });
    const backup = { revision: 7, deployments: [], routes: older.routes, workers: [worker] };
    expect(await store.restore(backup)).toBe(true);
    const restored = await store.readSnapshot();
    expect(restored.routes).toEqual(older.routes);
    expect(byId(restored)).toMatchObject({ a: toRoutedWorker(worker), b: { version: 'v1.3.0' } });
    expect(await store.restore(backup)).toBe(false);
  });
});

test('a store that was only restarted is given nothing: its epoch is new, its origin is not', async () => {
  await using server = await startRedis({ persistent: true });
  const store = await open(server);
  await store.saveWorker(aWorker({ id: 'a' }), 0);
  const before = await store.readSnapshot();
  await store.removeWorker('a', 1);
  await server.kill();
  await server.start();
  await eventually(() =>
    store.readHead().then(
      ({ epoch }) => epoch !== before.epoch,
      () => false,
    ),
  );
  await store.seedRoutes!(before, NOW);
  const after = await store.readSnapshot();
  expect(after.workers).toEqual([]);
  expect(originOf(after.epoch)).toBe(originOf(before.epoch));
  expect(after.epoch > before.epoch).toBe(true);
});
