import { describe, expect, it } from 'vitest';
import { KEYS } from '../../../src/runtime/store/redis/keys.ts';
import { startRedis, startRedisCluster, startRedisSentinel } from '../../helpers/redis.ts';
import { listenUp } from './event-recorder.ts';
import { eventually, recordUp } from './recorder.ts';
import { withStore } from './redis-fixture.ts';
import { aDeployment, aWorker, create, promote, setPercentage } from './samples.ts';

describe('the Redis store', () => {
  it('works on a Cluster: every script, and updates on whichever node one listens to', async () => {
    await using cluster = await startRedisCluster();
    await withStore(cluster.url, async (store) => {
      // Subscribers begin at a random node; with this many, each node most likely has some.
      const recorders = await Promise.all(Array.from({ length: 6 }, () => recordUp(store)));
      const deployment = aDeployment();
      const listeners = await Promise.all(Array.from({ length: 6 }, () => listenUp(store, deployment)));
      const worker = aWorker();
      expect(await create(store, deployment)).toEqual({ kind: 'saved', revision: 1 });
      expect(await setPercentage(store, deployment, 50)).toEqual({ kind: 'saved', revision: 2 });
      const ended = await promote(store, { ...deployment, version: 2 });
      expect(await store.listDeployments({ queue: 'payments' })).toEqual([ended]);
      expect(await store.listEvents(deployment.id)).toHaveLength(2);
      expect(await store.saveWorker(worker, 0)).toEqual({ kind: 'saved', revision: 4 });
      expect(await store.listWorkers()).toEqual([worker]);
      expect(await store.readSnapshot()).toMatchObject({ revision: 4, routes: [{ revision: 3 }] });
      expect(await store.removeWorker(worker.id, 1)).toEqual({ kind: 'saved', revision: 5 });
      expect(await store.deleteDeployment(deployment.id, 3)).toEqual({ kind: 'saved', revision: 5 });
      const report = { proxyId: 'p', ...(await store.readHead()) };
      await store.reportApplied(report, 60_000);
      expect(await store.listReports()).toEqual([report]);
      await store.withdrawReport('p');
      expect(await store.listReports()).toEqual([]);
      for (const recorder of recorders) {
        await eventually(() => recorder.updates.length === 5);
        expect(recorder.revisions).toEqual([1, 2, 3, 4, 5]);
        await recorder.close();
      }
      for (const listener of listeners) {
        await eventually(() => listener.told.length === 4);
        expect(listener.told.map(({ kind }) => kind)).toEqual(['up', 'event', 'event', 'deleted']);
        await listener.close();
      }
      const saved = await Promise.all(Array.from({ length: 200 }, () => store.saveWorker(aWorker(), 0)));
      expect(new Set(saved.map((s) => s.kind === 'saved' && s.revision)).size).toBe(200);
      // One slot, so one node, holds all of it.
      const sizes = await Promise.all(cluster.nodes.map((node) => node.client().dbsize()));
      expect(sizes.filter((size) => size > 0)).toHaveLength(1);

      // Each of what callers are told, and how often, may be on another one.
      expect(store.needsHashTags).toBe(true);
      for (let i = 0; i < 20; i++) {
        const claim = { key: `key-${i}`, fingerprint: 'f', owner: 'o' };
        const rate = { perMinute: 100, burst: 20 };
        expect(await store.takeToken(`caller-${i}`, rate)).toMatchObject({ allowed: true, remaining: 19 });
        expect(await store.claimRequest(claim, 60_000)).toEqual({ kind: 'claimed' });
        await store.keepAnswer(claim, 'answer', 60_000);
        expect(await store.claimRequest(claim, 60_000)).toMatchObject({ kind: 'answered' });
      }
    });
  });

  it('rejects while the Cluster node that holds its slot is down', async () => {
    await using cluster = await startRedisCluster();
    await withStore(cluster.url, async (store) => {
      await store.saveWorker(aWorker(), 0);
      for (const node of cluster.nodes) {
        if ((await node.client().dbsize()) > 0) await node.kill();
      }
      for (let i = 0; i < 3; i++)
        await expect(store.readHead()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      for (const node of cluster.nodes) await node.start();
      await eventually(async () => (await store.readHead().catch(() => undefined))?.revision === 0);
    });
  });

  it('finds the master through Sentinel', async () => {
    await using server = await startRedis();
    await using sentinel = await startRedisSentinel(server);
    await withStore(`redis+sentinel://127.0.0.1:${sentinel.port}/main/2`, async (store) => {
      await using recorder = await recordUp(store);
      await store.saveWorker(aWorker(), 0);
      await eventually(() => recorder.updates.length === 1);
      const client = server.client();
      await client.select(2);
      expect(await client.exists(KEYS.workers)).toBe(1);
    });
  });
});
