import { describe, expect, it } from 'vitest';
import type { WorkerSighting } from '../../../src/runtime/store/activity-store.ts';
import type { OpenFixture } from './fixture.ts';
import { aWorker } from './samples.ts';

function sighting(over: Partial<WorkerSighting> = {}): WorkerSighting {
  return { workerId: 'a', version: 'v1', processed: 0, succeeded: 0, failed: 0, totalMs: 0, ...over };
}

export function describeActivity(open: OpenFixture): void {
  describe('worker activity', () => {
    it('adds up over whoever notes it, without being a routing change', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      await store.saveWorker(aWorker({ id: 'a', version: 'v1' }), 0);
      await store.noteActivity([sighting({ processed: 3, succeeded: 2, failed: 1, totalMs: 10.5 })]);
      await other.noteActivity([sighting({ processed: 1, succeeded: 1, totalMs: 4.25 })]);
      await other.noteActivity([sighting()]);
      const activity = (await store.listActivity()).get('a')!;
      expect(activity).toMatchObject({
        version: 'v1',
        processed: 4,
        succeeded: 3,
        failed: 1,
        totalMs: 14.75,
      });
      expect(activity.lastJobAt).toBeGreaterThan(0);
      expect(activity.lastSeen).toBeGreaterThanOrEqual(activity.lastJobAt!);
      expect((await store.readHead()).revision).toBe(1);
      expect((await store.getWorker('a'))!.recordVersion).toBe(1);
    });

    it('of a worker that was merely seen knows of no job', async () => {
      await using fixture = await open();
      const { store } = fixture;
      await store.saveWorker(aWorker({ id: 'a' }), 0);
      await store.noteActivity([sighting()]);
      expect((await store.listActivity()).get('a')).toMatchObject({ processed: 0, lastJobAt: null });
    });

    it('starts afresh with another version', async () => {
      await using fixture = await open();
      const { store } = fixture;
      await store.saveWorker(aWorker({ id: 'a' }), 0);
      await store.noteActivity([sighting({ processed: 3, succeeded: 3, totalMs: 1 })]);
      await store.noteActivity([sighting({ version: 'v2', processed: 1, failed: 1, totalMs: 2 })]);
      expect((await store.listActivity()).get('a')).toMatchObject({
        version: 'v2',
        processed: 1,
        succeeded: 0,
        failed: 1,
        totalMs: 2,
      });
    });

    it('is not kept for workers that are not registered, nor for those that were removed', async () => {
      await using fixture = await open();
      const { store } = fixture;
      await store.saveWorker(aWorker({ id: 'a' }), 0);
      await store.noteActivity([sighting(), sighting({ workerId: 'nobody' })]);
      expect([...(await store.listActivity()).keys()]).toEqual(['a']);
      await store.removeWorker('a', 1);
      await store.noteActivity([sighting()]);
      expect((await store.listActivity()).size).toBe(0);
    });

    it('takes thousands of workers at once', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const ids = Array.from({ length: 1200 }, (_, i) => `w${i}`);
      await Promise.all(ids.map((id) => store.saveWorker(aWorker({ id }), 0)));
      await store.noteActivity(ids.map((workerId) => sighting({ workerId, processed: 1 })));
      expect((await store.listActivity()).size).toBe(1200);
      const some = await store.listActivity([...ids.slice(0, 1100), 'nobody']);
      expect([...some.keys()].toSorted()).toEqual(ids.slice(0, 1100).toSorted());
    });

    it('is told of the workers that are asked for, of none if of none', async () => {
      await using fixture = await open();
      const { store } = fixture;
      for (const id of ['a', 'b', 'c']) await store.saveWorker(aWorker({ id }), 0);
      await store.noteActivity(['a', 'b'].map((workerId) => sighting({ workerId, processed: 1 })));
      const all = await store.listActivity();
      expect(await store.listActivity(['b', 'c', 'nobody'])).toEqual(new Map([['b', all.get('b')]]));
      expect(await store.listActivity([])).toEqual(new Map());
    });
  });
}
