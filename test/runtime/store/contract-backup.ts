import { describe, expect, it } from 'vitest';
import type { Backup } from '../../../src/runtime/store/backup-store.ts';
import { toRoutedWorker } from '../../../src/core/worker.ts';
import type { OpenFixture } from './fixture.ts';
import { aDeployment, anEvent, aWorker, create, promote, setPercentage } from './samples.ts';

/** Of another installation: an ended deployment, an active one of a tenant, a worker. */
function aBackup(): Backup {
  const ended = aDeployment({ status: 'completed', version: 3 });
  const active = aDeployment({ queue: 'mails', tenant: 'acme', currentPercent: 25, version: 4 });
  const { id, queue, tenant = '', stableVersion, canaryVersion } = active;
  return {
    revision: 17,
    deployments: [
      { deployment: ended, events: [anEvent(ended.id, 'promoted'), anEvent(ended.id, 'created')] },
      { deployment: active, events: [anEvent(id, 'to 25'), anEvent(id, 'created')] },
    ],
    routes: [
      {
        queue,
        tenant,
        revision: 16,
        strategy: 'hash_ring',
        stableVersion,
        superseded: [],
        rejected: [],
        split: {
          deploymentId: id,
          canaryVersion,
          percentage: 25,
          step: 2,
          sticky: true,
          fallback: 'stable',
          retryOnStable: false,
          countsKeys: false,
        },
        promotedAt: 0,
        decidedAt: 12,
      },
      {
        queue: ended.queue,
        revision: 9,
        strategy: 'hash_ring',
        stableVersion: ended.canaryVersion,
        superseded: [ended.stableVersion],
        rejected: [],
        promotedAt: 9,
        decidedAt: 9,
      },
    ],
    workers: [aWorker({ recordVersion: 5 })],
  };
}

export function describeBackup(open: OpenFixture): void {
  describe('a backup', () => {
    it('makes of an empty store what it was taken of, at a later revision', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const backup = aBackup();
      expect(await store.restore(backup)).toBe(true);
      const [ended, active] = backup.deployments.map(({ deployment }) => deployment);
      expect(await other.listDeployments()).toEqual([active, ended]);
      expect(await other.listDeployments({ status: 'active' })).toEqual([active]);
      for (const { deployment, events } of backup.deployments) {
        expect(await other.listEvents(deployment.id)).toEqual(events);
      }
      expect(await other.listWorkers()).toEqual(backup.workers);
      expect(await other.listWorkers({ queue: 'payments' })).toEqual(backup.workers);
      const snapshot = await other.readSnapshot();
      expect(snapshot.revision).toBe(18);
      expect(snapshot.routes.toSorted((a, b) => (a.queue < b.queue ? -1 : 1))).toEqual(backup.routes);
      expect(snapshot.workers).toEqual(backup.workers.map(toRoutedWorker));
    });

    it('goes on from there: what is open can be moved and ended, what is not leaves its queue free', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const backup = aBackup();
      await store.restore(backup);
      const active = backup.deployments[1]!.deployment;
      expect(await create(store, aDeployment({ queue: 'mails', tenant: 'acme' }))).toMatchObject({
        kind: 'exists',
        deploymentId: active.id,
      });
      expect(await setPercentage(store, active, 50)).toEqual({ kind: 'saved', revision: 19 });
      await promote(store, { ...active, version: 5 });
      expect(await store.listDeployments({ status: 'completed' })).toHaveLength(2);
      expect((await store.listEvents(active.id)).slice(-2)).toEqual(backup.deployments[1]!.events);
    });

    it('is refused by a store that holds anything, and changes nothing there', async () => {
      await using fixture = await open();
      const { store } = fixture;
      await store.saveWorker(aWorker({ id: 'here-first' }), 0);
      expect(await store.restore(aBackup())).toBe(false);
      expect(await store.listDeployments()).toEqual([]);
      expect((await store.listWorkers()).map(({ id }) => id)).toEqual(['here-first']);
      expect(await store.readHead()).toMatchObject({ revision: 1 });
    });
  });
}
