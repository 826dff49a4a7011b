import { describe, expect, it } from 'vitest';
import { openSplit, stampRoute } from '../../../src/core/route.ts';
import type { OpenFixture } from './fixture.ts';
import { aDeployment, anEvent, create, promote, setPercentage } from './samples.ts';

export function describeDeployments(open: OpenFixture): void {
  describe('deployments', () => {
    it('are read back exactly as they were written', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const deployment = aDeployment({ tenant: 'acme', completedAt: 5 });
      await create(store, deployment);
      expect(await other.getDeployment(deployment.id)).toEqual(deployment);
      expect(await other.listDeployments()).toEqual([deployment]);
      expect(await other.getDeployment('canary_unknown')).toBeUndefined();
    });

    it('write their route and raise the revision by one as they are created', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const deployment = aDeployment();
      expect(await store.getRoute('payments')).toBeUndefined();
      expect(await create(store, deployment)).toEqual({ kind: 'saved', revision: 1 });
      const route = stampRoute(openSplit(undefined, deployment), 1);
      expect(await other.getRoute('payments')).toEqual(route);
      expect(route.decidedAt).toBe(1);
      expect((await other.readHead()).revision).toBe(1);
    });

    it('are read with the route of their scope, whosever that is by then', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      expect(await store.getRoutedDeployment('canary_unknown')).toBeUndefined();
      const first = aDeployment({ tenant: 'acme' });
      await create(store, first);
      await create(store, aDeployment());
      const read = await other.getRoutedDeployment(first.id);
      expect(read).toEqual({ deployment: first, route: await store.getRoute('payments', 'acme') });
      const ended = await promote(store, first);
      await create(store, aDeployment({ tenant: 'acme', stableVersion: first.canaryVersion }));
      const route = await store.getRoute('payments', 'acme');
      expect(await other.getRoutedDeployment(first.id)).toEqual({ deployment: ended, route });
    });

    it('are one at a time for a queue and tenant', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const first = aDeployment();
      await create(store, first);
      expect(await create(store, aDeployment())).toEqual({ kind: 'exists', deploymentId: first.id });
      expect(await create(store, aDeployment({ tenant: 'acme' }))).toMatchObject({ kind: 'saved' });
      expect(await create(store, aDeployment({ tenant: 'zeta' }))).toMatchObject({ kind: 'saved' });
      expect(await create(store, aDeployment({ queue: 'mails' }))).toMatchObject({ kind: 'saved' });
      expect(await store.listDeployments()).toHaveLength(4);
    });

    it('do not take the id of another one', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const first = aDeployment();
      await create(store, first);
      const second = { ...aDeployment({ queue: 'mails' }), id: first.id };
      expect(await create(store, second)).toEqual({ kind: 'exists', deploymentId: first.id });
      expect(await store.getDeployment(first.id)).toEqual(first);
    });

    it('are refused above the limit of open ones, which ended ones do not count towards', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const first = aDeployment({ queue: 'a' });
      await create(store, first, 2);
      await create(store, aDeployment({ queue: 'b' }), 2);
      expect(await create(store, aDeployment({ queue: 'c' }), 2)).toEqual({ kind: 'limit', open: 2 });
      expect(await store.getRoute('c')).toBeUndefined();
      await promote(store, first);
      expect(await create(store, aDeployment({ queue: 'c' }), 2)).toMatchObject({ kind: 'saved' });
    });

    it('are stale if their route has moved on since it was read', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const first = aDeployment();
      await create(store, first);
      await promote(store, first);
      const second = aDeployment();
      const creation = { deployment: second, route: openSplit(undefined, second), events: [], openMax: 10 };
      expect(await store.createDeployment({ ...creation, basedOnRevision: 0 })).toEqual({ kind: 'stale' });
      expect(await store.createDeployment({ ...creation, basedOnRevision: 1 })).toEqual({ kind: 'stale' });
      expect(await store.getDeployment(second.id)).toBeUndefined();
      expect(await store.listEvents(second.id)).toEqual([]);
      expect(await store.readHead()).toMatchObject({ revision: 2 });
      expect(await store.createDeployment({ ...creation, basedOnRevision: 2 })).toMatchObject({
        revision: 3,
      });
    });

    it('are saved only over the version that was read', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const deployment = aDeployment();
      await create(store, deployment);
      expect(await setPercentage(store, deployment, 25)).toEqual({ kind: 'saved', revision: 2 });
      expect(await setPercentage(other, deployment, 50)).toEqual({ kind: 'stale' });
      expect(await other.getDeployment(deployment.id)).toMatchObject({ version: 2, currentPercent: 25 });
      expect(await other.getRoute('payments')).toMatchObject({ revision: 2, split: { percentage: 25 } });
      expect((await other.listEvents(deployment.id)).map((e) => e.message)).toEqual(['to 25', 'created']);
      expect(await setPercentage(store, aDeployment(), 10)).toEqual({ kind: 'stale' });
    });

    it('leave the revision alone when a change moves no traffic', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const deployment = aDeployment();
      await create(store, deployment);
      const paused = { ...deployment, version: 2, status: 'paused' as const };
      const events = [anEvent(deployment.id, 'one'), anEvent(deployment.id, 'two')];
      const saved = await store.saveDeployment({ deployment: paused, expectedVersion: 1, events });
      expect(saved).toEqual({ kind: 'saved', revision: 1 });
      expect(await store.getDeployment(deployment.id)).toEqual(paused);
      expect(await store.readHead()).toMatchObject({ revision: 1 });
      expect((await store.listEvents(deployment.id)).map((e) => e.message)).toEqual([
        'two',
        'one',
        'created',
      ]);
    });

    it('stamp a promotion with the revision that carries it, and keep the stamps of others', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const first = aDeployment();
      await create(store, first);
      await promote(store, first);
      expect(await store.getRoute('payments')).toMatchObject({ revision: 2, promotedAt: 2, decidedAt: 2 });
      await create(store, aDeployment({ stableVersion: 'v1.3.0', canaryVersion: 'v1.4.0' }));
      expect(await store.getRoute('payments')).toMatchObject({ revision: 3, promotedAt: 2, decidedAt: 3 });
    });

    it('give their scope free in the step that ends them', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const first = aDeployment();
      await create(store, first);
      const ended = await promote(store, first);
      const second = aDeployment();
      expect(await create(store, second)).toMatchObject({ kind: 'saved' });
      // A late write to the ended one must not free the scope of its successor.
      await store.saveDeployment({ deployment: { ...ended, version: 3 }, expectedVersion: 2, events: [] });
      expect(await create(store, aDeployment())).toEqual({ kind: 'exists', deploymentId: second.id });
    });

    it('are deleted with their events, at the expected version only, while their route stays', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const deployment = aDeployment();
      await create(store, deployment);
      await promote(store, deployment);
      const route = await store.getRoute('payments');
      expect(await store.deleteDeployment(deployment.id, 1)).toEqual({ kind: 'stale' });
      expect(await store.listEvents(deployment.id)).toHaveLength(1);
      expect(await store.deleteDeployment(deployment.id, 2)).toEqual({ kind: 'saved', revision: 2 });
      expect(await store.getDeployment(deployment.id)).toBeUndefined();
      expect(await store.listDeployments()).toEqual([]);
      expect(await store.listEvents(deployment.id)).toEqual([]);
      expect(await store.getRoute('payments')).toEqual(route);
      expect(await store.deleteDeployment(deployment.id, 2)).toEqual({ kind: 'stale' });
    });

    it('that are deleted while open give their scope free', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const deployment = aDeployment({ tenant: 'acme' });
      await create(store, deployment);
      await store.deleteDeployment(deployment.id, 1);
      expect(await create(store, aDeployment({ tenant: 'acme' }))).toMatchObject({ kind: 'saved' });
    });

    it('are listed newest first, by status, queue and tenant', async () => {
      await using fixture = await open();
      const { store } = fixture;
      // Made in an order that neither ids nor times follow.
      const old = aDeployment({ id: 'canary_z', queue: 'b', startTime: 9 });
      const ended = aDeployment({ id: 'canary_y', queue: 'a', tenant: 'acme', startTime: 5 });
      const young = aDeployment({ id: 'canary_x', queue: 'a', startTime: 1 });
      for (const deployment of [old, ended, young]) await create(store, deployment);
      await promote(store, ended);
      const ids = async (filter?: Parameters<typeof store.listDeployments>[0]): Promise<string[]> =>
        (await store.listDeployments(filter)).map((d) => d.id);
      expect(await ids()).toEqual(['canary_x', 'canary_y', 'canary_z']);
      expect(await ids({ status: 'active' })).toEqual(['canary_x', 'canary_z']);
      expect(await ids({ status: 'completed' })).toEqual(['canary_y']);
      expect(await ids({ status: 'paused' })).toEqual([]);
      expect(await ids({ queue: 'a' })).toEqual(['canary_x', 'canary_y']);
      expect(await ids({ tenant: 'acme' })).toEqual(['canary_y']);
      expect(await ids({ queue: 'b', tenant: 'acme' })).toEqual([]);
      expect(await ids({ queue: 'a', status: 'active' })).toEqual(['canary_x']);
      expect(await ids({ status: ['active', 'paused'] })).toEqual(['canary_x', 'canary_z']);
      expect(await ids({ status: ['active', 'completed'] })).toEqual(['canary_x', 'canary_y', 'canary_z']);
    });

    it('are listed page by page, with the number of all that match', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const acme = { tenant: 'acme' };
      for (let i = 0; i < 7; i++) {
        const deployment = aDeployment({ id: `canary_${i}`, queue: `queue-${i}`, ...(i % 2 === 1 && acme) });
        await create(store, deployment);
        if (i === 3) await promote(store, deployment);
      }
      const page = async (
        filter: Parameters<typeof store.pageDeployments>[0],
        offset: number,
        limit: number,
      ) => {
        const { total, deployments } = await store.pageDeployments(filter, { offset, limit });
        return [total, ...deployments.map(({ id }) => id.at(-1))];
      };
      expect(await page({}, 0, 3)).toEqual([7, '6', '5', '4']);
      expect(await page({}, 3, 3)).toEqual([7, '3', '2', '1']);
      expect(await page({}, 6, 3)).toEqual([7, '0']);
      expect(await page({}, 7, 3)).toEqual([7]);
      expect(await page({}, 0, 0)).toEqual([7]);
      expect(await page({ status: 'active' }, 1, 3)).toEqual([6, '5', '4', '2']);
      expect(await page({ status: 'completed' }, 0, 3)).toEqual([1, '3']);
      expect(await page({ tenant: 'acme' }, 1, 1)).toEqual([3, '3']);
      expect(await page({ tenant: 'acme', status: 'active' }, 1, 5)).toEqual([2, '1']);
      expect(await page({ queue: 'queue-2' }, 0, 5)).toEqual([1, '2']);
      expect(await page({ queue: 'queue-8' }, 0, 5)).toEqual([0]);
    });
  });
}
