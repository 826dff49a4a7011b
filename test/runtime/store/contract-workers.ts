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

    it('are listed by the queue that they serve, as that changes', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const idsOf = async (queue: string): Promise<readonly string[]> =>
        (await other.listWorkers({ queue })).map(({ id }) => id);
      const queues = ['mails', 'pay', 'payments', '{pay}', 'nobody'];
      const all = async () =>
        Object.fromEntries(await Promise.all(queues.map(async (q) => [q, await idsOf(q)])));
      const both = aWorker({ id: 'both', queues: ['payments', 'mails'] });
      await store.saveWorker(both, 0);
      await store.saveWorker(aWorker({ id: 'a', queues: ['payments'] }), 0);
      await store.saveWorker(aWorker({ id: 'pay', queues: ['pay', '{pay}'] }), 0);
      await store.saveWorker(aWorker({ id: 'idle', queues: [] }), 0);
      const none = { mails: [], pay: [], payments: [], '{pay}': [], nobody: [] };
      const others = { ...none, pay: ['pay'], '{pay}': ['pay'] };
      expect(await all()).toEqual({ ...others, payments: ['a', 'both'], mails: ['both'] });
      const moved = { ...both, recordVersion: 2, queues: ['mails', 'pay'] };
      await store.saveWorker(moved, 1);
      expect(await all()).toEqual({ ...others, payments: ['a'], mails: ['both'], pay: ['both', 'pay'] });
      expect(await store.saveWorker({ ...both, queues: ['nobody'] }, 1)).toEqual({ kind: 'stale' });
      const seen = { ...moved, recordVersion: 3, lastSeen: moved.lastSeen + 1 };
      await store.saveWorker(seen, 2);
      expect(await other.listWorkers({ queue: 'mails' })).toEqual([seen]);
      await store.removeWorker('both', 3);
      expect(await all()).toEqual({ ...others, payments: ['a'] });
    });

    it('name the queues that they serve', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      expect(await store.listServedQueues()).toEqual([]);
      const queues = Array.from({ length: 1_100 }, (_, i) => `q${i}`);
      for (let i = 0; i < queues.length; i += 100)
        await store.saveWorker(aWorker({ queues: ['pay', '{pay}', ...queues.slice(i, i + 100)] }), 0);
      await store.saveWorker(aWorker({ id: 'idle', queues: [] }), 0);
      await store.saveWorker(aWorker({ id: 'more', queues: ['pay-outs'] }), 0);
      const all = ['pay', '{pay}', 'pay-outs', ...queues].toSorted();
      expect(await other.listServedQueues()).toEqual(all);
      await store.removeWorker('more', 1);
      expect(await other.listServedQueues()).toEqual(all.filter((queue) => queue !== 'pay-outs'));
    });

    it('come in pages, of all or of a queue', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const ids = Array.from({ length: 12 }, (_, i) => `w${i}`).toSorted();
      await Promise.all(ids.map((id) => store.saveWorker(aWorker({ id, queues: ['q', 'payments'] }), 0)));
      await store.saveWorker(aWorker({ id: 'other', queues: ['mails'] }), 0);
      const page = async (queue: string | undefined, offset: number, limit: number) => {
        const filter = queue === undefined ? {} : { queue };
        const { total, workers } = await store.pageWorkers(filter, { offset, limit });
        return [total, ...workers.map(({ id }) => id)];
      };
      expect(await page(undefined, 0, 3)).toEqual([13, 'other', ...ids.slice(0, 2)]);
      expect(await page(undefined, 12, 3)).toEqual([13, ...ids.slice(11)]);
      expect(await page(undefined, 13, 3)).toEqual([13]);
      expect(await page('payments', 0, 100)).toEqual([12, ...ids]);
      expect(await page('payments', 10, 5)).toEqual([12, ...ids.slice(10)]);
      expect(await page('q', 4, 2)).toEqual([12, ...ids.slice(4, 6)]);
      expect(await page('q', 12, 2)).toEqual([12]);
      expect(await page('q', 0, 0)).toEqual([12]);
      expect(await page('nobody', 0, 5)).toEqual([0]);
    });
  });
}
