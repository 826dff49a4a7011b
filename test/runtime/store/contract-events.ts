import { describe, expect, it } from 'vitest';
import type { Store } from '../../../src/runtime/store/store.ts';
import { listen, listenUp } from './event-recorder.ts';
import type { OpenFixture } from './fixture.ts';
import { eventually } from './recorder.ts';
import { aDeployment, anEvent, create, promote, setPercentage } from './samples.ts';

export function describeEvents(open: OpenFixture): void {
  describe('events', () => {
    it('are told to every subscriber as they are kept, with their positions, and so is their end', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const deployment = aDeployment({ tenant: 'acme' });
      const neighbour = aDeployment();
      await using here = await listenUp(store, deployment, neighbour);
      await using elsewhere = await listenUp(other, deployment, neighbour);
      await create(store, deployment);
      await create(store, neighbour);
      await setPercentage(store, deployment, 25);
      await store.saveDeployment({
        deployment: { ...neighbour, version: 2, status: 'paused' },
        expectedVersion: 1,
        events: [anEvent(neighbour.id, 'one'), anEvent(neighbour.id, 'two')],
      });
      await store.deleteDeployment(deployment.id, 2);
      const told = [
        { kind: 'up' },
        { kind: 'event', event: anEvent(deployment.id, 'created'), position: 1 },
        { kind: 'event', event: anEvent(neighbour.id, 'created'), position: 1 },
        { kind: 'event', event: anEvent(deployment.id, 'to 25'), position: 2 },
        { kind: 'event', event: anEvent(neighbour.id, 'one'), position: 2 },
        { kind: 'event', event: anEvent(neighbour.id, 'two'), position: 3 },
        { kind: 'deleted', deploymentId: deployment.id },
      ];
      for (const recorder of [here, elsewhere]) {
        await eventually(() => recorder.told.length >= told.length);
        expect(recorder.told).toEqual(told);
      }
    });

    it('are in the store by the time they are told', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const deployment = aDeployment();
      const seen: Promise<boolean>[] = [];
      const up = Promise.withResolvers<void>();
      const subscription = other.subscribeEvents({
        onUp: () => up.resolve(),
        onDown: () => undefined,
        onDeleted: () => undefined,
        onEvent: ({ id }) =>
          void seen.push(store.listEvents(deployment.id).then((list) => list.some((e) => e.id === id))),
      });
      await up.promise;
      await create(store, deployment);
      await setPercentage(store, deployment, 25);
      await eventually(() => seen.length === 2);
      expect(await Promise.all(seen)).toEqual([true, true]);
      await subscription.close();
    });

    it('that were refused with their change are told to nobody', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const deployment = aDeployment();
      await using recorder = await listenUp(store, deployment);
      await create(store, deployment);
      await create(store, aDeployment());
      await setPercentage(store, { ...deployment, version: 9 }, 50);
      await store.deleteDeployment(deployment.id, 7);
      await promote(store, deployment);
      await setPercentage(store, { ...deployment, version: 2 }, 99);
      await eventually(() => recorder.told.length >= 3);
      expect(recorder.told.slice(1)).toEqual([
        { kind: 'event', event: anEvent(deployment.id, 'created'), position: 1 },
        { kind: 'event', event: anEvent(deployment.id, 'to 99'), position: 2 },
      ]);
    });

    it('of many writers are told in the order of the list, without holes', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const deployments = [aDeployment({ queue: 'a' }), aDeployment({ queue: 'b' })];
      await using recorder = await listenUp(other, ...deployments);
      for (const deployment of deployments) await create(store, deployment);
      const move = async (from: Store, id: string): Promise<void> => {
        for (let i = 0; i < 10; i++) {
          const current = await from.getDeployment(id);
          if (current !== undefined) await setPercentage(from, current, i);
        }
      };
      await Promise.all(deployments.flatMap(({ id }) => [store, other, store].map((from) => move(from, id))));
      for (const { id } of deployments) {
        const kept = (await store.listEvents(id)).toReversed();
        const ofDeployment = () =>
          recorder.told.flatMap((t) => (t.kind === 'event' && t.event.deploymentId === id ? [t] : []));
        await eventually(() => ofDeployment().length >= kept.length);
        expect(ofDeployment().map((t) => t.event)).toEqual(kept);
        expect(ofDeployment().map((t) => t.position)).toEqual(kept.map((_, i) => i + 1));
      }
    });

    it('are not told to a subscriber that has gone', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const [first, second] = [aDeployment({ queue: 'a' }), aDeployment({ queue: 'b' })];
      const early = listen(store, first, second);
      await early.close();
      const leaves = await listenUp(store, first, second);
      await using stays = await listenUp(store, first, second);
      await create(store, first);
      await eventually(() => stays.told.length === 2 && leaves.told.length === 2);
      await leaves.close();
      await create(store, second);
      await eventually(() => stays.told.length === 3);
      expect(early.told).toEqual([]);
      expect(leaves.told).toHaveLength(2);
    });
  });
}
