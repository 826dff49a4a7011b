import { describe, expect, it } from 'vitest';
import { toRoutedWorker } from '../../../src/core/worker.ts';
import type { OpenFixture } from './fixture.ts';
import { aWorker } from './samples.ts';

export function describeWorkers(open: OpenFixture): void {
  describe('workers', () => {
    it('are read back exactly as they were written, sorted by id', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const b = aWorker({ id: 'b', queues: [], metadata: { tags: [], zone: {} }, weight: 0.5 });
      const a = aWorker({ id: 'a', url: 'http://127.0.0.1:1', healthPath: '/healthz', maxConcurrency: 4 });
      await store.saveWorker(b, 0);
      await store.saveWorker(a, 0);
      expect(await other.getWorker('b')).toEqual(b);
      expect(await other.listWorkers()).toEqual([a, b]);
      expect((await other.readSnapshot()).workers.toSorted((x, y) => (x.id < y.id ? -1 : 1))).toEqual([
        toRoutedWorker(a),
        toRoutedWorker(b),
      ]);
      expect(await other.getWorker('c')).toBeUndefined();
    });

    it('are saved only over the version that was read', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const worker = aWorker();
      expect(await store.saveWorker({ ...worker, recordVersion: 2 }, 1)).toEqual({ kind: 'stale' });
      expect(await store.saveWorker(worker, 0)).toEqual({ kind: 'saved', revision: 1 });
      expect(await other.saveWorker({ ...worker, lane: 'canary' }, 0)).toEqual({ kind: 'stale' });
      const replaced = { ...worker, recordVersion: 2, version: 'v2' };
      expect(await other.saveWorker(replaced, 1)).toEqual({ kind: 'saved', revision: 2 });
      expect(await store.getWorker(worker.id)).toEqual(replaced);
    });

    it('raise the revision when their routing part changes, and only then', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const worker = aWorker();
      await store.saveWorker(worker, 0);
      const seen = {
        ...worker,
        recordVersion: 2,
        lastSeen: worker.lastSeen + 1,
        metrics: { ...worker.metrics, jobsProcessed: 7 },
        metadata: { host: 'h' },
      };
      expect(await store.saveWorker(seen, 1)).toEqual({ kind: 'saved', revision: 1 });
      expect(await store.getWorker(worker.id)).toEqual(seen);
      const degraded = { ...seen, recordVersion: 3, status: 'degraded' as const };
      expect(await store.saveWorker(degraded, 2)).toEqual({ kind: 'saved', revision: 2 });
      expect((await store.readSnapshot()).workers).toEqual([toRoutedWorker(degraded)]);
    });

    it('are removed at the expected version only, which is a routing change', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const worker = aWorker();
      await store.saveWorker(worker, 0);
      expect(await store.removeWorker(worker.id, 2)).toEqual({ kind: 'stale' });
      expect(await store.removeWorker(worker.id, 1)).toEqual({ kind: 'saved', revision: 2 });
      expect(await store.listWorkers()).toEqual([]);
      expect((await store.readSnapshot()).workers).toEqual([]);
      expect(await store.removeWorker(worker.id, 1)).toEqual({ kind: 'stale' });
      // The same worker again is new to the proxies, which have forgotten it.
      expect(await store.saveWorker(worker, 0)).toEqual({ kind: 'saved', revision: 3 });
    });
  });
}
