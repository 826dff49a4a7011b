import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openSplit, scopeKey, type Route } from '../../../src/core/route.ts';
import { toRoutedWorker } from '../../../src/core/worker.ts';
import type { OpenFixture } from './fixture.ts';
import { eventually, record, recordUp } from './recorder.ts';
import { aDeployment, aWorker, create, promote, setPercentage } from './samples.ts';

export function describeRoutes(open: OpenFixture): void {
  describe('routes', () => {
    it('begin at revision 0 of an epoch that all processes see', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const head = await store.readHead();
      expect(head).toEqual({ epoch: expect.stringMatching(/^\S{8,}$/), revision: 0 });
      expect(await other.readHead()).toEqual(head);
      expect(await store.readSnapshot()).toEqual({ ...head, routes: [], workers: [] });
    });

    it('can be walked, some at a time, each once', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const walked = async () => {
        const parts = [];
        for await (const routes of other.walkRoutes()) parts.push(routes);
        return parts;
      };
      expect((await walked()).flat()).toEqual([]);
      const deployment = aDeployment();
      const route = { ...openSplit(undefined, deployment), revision: 1, decidedAt: 1 };
      const routes = Array.from({ length: 1_700 }, (_, i) => ({ ...route, queue: `q${i}` }));
      const withTenants = routes.flatMap((one) => [one, { ...one, tenant: 'acme' }]);
      await store.restore({ revision: 1, deployments: [], routes: withTenants, workers: [] });
      await create(store, aDeployment({ queue: 'q7' }));
      const parts = await walked();
      expect(parts.length).toBeGreaterThan(2);
      const byScope = (all: readonly Route[]) =>
        Object.fromEntries(all.map((one) => [scopeKey(one.queue, one.tenant), one]));
      const expected = byScope(withTenants);
      expected['q7'] = (await store.getRoute('q7'))!;
      expect(parts.flat()).toHaveLength(withTenants.length);
      expect(byScope(parts.flat())).toEqual(expected);
    });

    it('tell a subscriber first that it stands, then of every change, as it is in the store', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      await using recorder = await recordUp(other);
      const { epoch } = await store.readHead();
      const deployment = aDeployment({ tenant: 'acme' });
      const worker = aWorker();
      await create(store, deployment);
      const created = await store.getRoute('payments', 'acme');
      await store.saveWorker(worker, 0);
      await store.saveWorker({ ...worker, recordVersion: 2, lastSeen: 9 }, 1);
      await promote(store, deployment);
      await store.removeWorker(worker.id, 2);
      await eventually(() => recorder.updates.length >= 4);
      expect(recorder.updates).toEqual([
        { epoch, revision: 1, change: { kind: 'route', route: created } },
        { epoch, revision: 2, change: { kind: 'worker', worker: toRoutedWorker(worker) } },
        {
          epoch,
          revision: 3,
          change: { kind: 'route', route: await store.getRoute('payments', 'acme') },
        },
        { epoch, revision: 4, change: { kind: 'worker_removed', workerId: worker.id } },
      ]);
      expect(recorder.calls).toEqual(['up']);
    });

    it('publish nothing for a change that was refused', async () => {
      await using fixture = await open();
      const { store } = fixture;
      await using recorder = await recordUp(store);
      const deployment = aDeployment();
      await create(store, deployment);
      await create(store, aDeployment());
      await setPercentage(store, { ...deployment, version: 9 }, 50);
      await store.saveWorker(aWorker(), 3);
      await setPercentage(store, deployment, 25);
      await eventually(() => recorder.revisions.includes(2));
      expect(recorder.revisions).toEqual([1, 2]);
    });

    it('tell every subscriber, until it has gone', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      await using stays = await recordUp(store);
      const leaves = await recordUp(other);
      await store.saveWorker(aWorker(), 0);
      await eventually(() => stays.updates.length === 1 && leaves.updates.length === 1);
      await leaves.close();
      await store.saveWorker(aWorker(), 0);
      await eventually(() => stays.updates.length === 2);
      expect(leaves.revisions).toEqual([1]);
      expect(leaves.calls).toEqual(['up']);
    });

    it('tell nothing to a subscriber that went before its subscription stood', async () => {
      await using fixture = await open();
      const early = record(fixture.store);
      await early.close();
      await using later = await recordUp(fixture.store);
      await fixture.store.saveWorker(aWorker(), 0);
      await eventually(() => later.updates.length === 1);
      await turn();
      expect(early.calls).toEqual([]);
      expect(early.updates).toEqual([]);
    });

    it('reject as unavailable once the store is closed', async () => {
      await using fixture = await open();
      await fixture.store.close();
      await expect(fixture.store.readSnapshot()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      await expect(fixture.store.ping()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      await expect(fixture.store.saveWorker(aWorker(), 0)).rejects.toMatchObject({
        code: 'STORE_UNAVAILABLE',
      });
    });
  });
}
