import { describe, expect, it } from 'vitest';
import type { Store } from '../../../src/runtime/store/store.ts';
import type { OpenFixture } from './fixture.ts';
import { eventually, recordUp, replay, sorted } from './recorder.ts';
import { aDeployment, aWorker, create, setPercentage } from './samples.ts';

const WRITERS = 200;

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** Reads, changes and writes until it was not too late. */
async function countUp(store: Store, workerId: string): Promise<void> {
  for (;;) {
    const worker = await store.getWorker(workerId);
    if (worker === undefined) throw new Error('the worker is gone');
    const { recordVersion, weight } = worker;
    const next = { ...worker, recordVersion: recordVersion + 1, weight: weight + 1 };
    if ((await store.saveWorker(next, recordVersion)).kind === 'saved') return;
  }
}

export function describeConcurrency(open: OpenFixture): void {
  describe('many writers', () => {
    it('get revisions without holes, and a subscriber hears each of them once, in order', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      await using recorder = await recordUp(other);
      const results = await Promise.all(
        range(WRITERS).map((i) => {
          const by = i % 2 === 0 ? store : other;
          return i % 4 < 2 ? by.saveWorker(aWorker(), 0) : create(by, aDeployment({ queue: `queue-${i}` }));
        }),
      );
      const revisions = results.map((r) => (r.kind === 'saved' ? r.revision : Number.NaN));
      const all = range(WRITERS).map((i) => i + 1);
      expect(revisions.toSorted((a, b) => a - b)).toEqual(all);
      await eventually(() => recorder.updates.length >= WRITERS);
      expect(recorder.revisions).toEqual(all);
    });

    it('lose no update of one record', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const worker = aWorker({ weight: 0 });
      await store.saveWorker(worker, 0);
      await Promise.all(range(20).map((i) => countUp(i % 2 === 0 ? store : other, worker.id)));
      expect(await store.getWorker(worker.id)).toMatchObject({ weight: 20, recordVersion: 21 });
      expect(await store.readHead()).toMatchObject({ revision: 21 });
    });

    it('open one deployment between them', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const results = await Promise.all(
        range(20).map((i) => create(i % 2 === 0 ? store : other, aDeployment())),
      );
      expect(results.filter((r) => r.kind === 'saved')).toHaveLength(1);
      expect(await store.listDeployments()).toHaveLength(1);
    });

    it('never show in a snapshot what its revision does not include', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      await using recorder = await recordUp(other);
      const start = await store.readSnapshot();
      const deployment = aDeployment();
      await create(store, deployment);
      const writing = Promise.all([
        ...range(60).map(() => store.saveWorker(aWorker(), 0)),
        (async () => {
          for (const i of range(20)) await setPercentage(store, { ...deployment, version: i + 1 }, i);
        })(),
      ]);
      const snapshots = [];
      for (let i = 0; i < 20; i++) snapshots.push(await other.readSnapshot());
      await writing;
      const end = await other.readSnapshot();
      expect(end.revision).toBe(81);
      await eventually(() => recorder.updates.length >= end.revision);
      for (const snapshot of [...snapshots, end]) {
        const upTo = recorder.updates.filter((u) => u.revision <= snapshot.revision);
        expect(sorted(snapshot)).toEqual(sorted(replay(start, upTo)));
        expect(sorted(replay(snapshot, recorder.updates))).toEqual(sorted(end));
      }
    });
  });
}
