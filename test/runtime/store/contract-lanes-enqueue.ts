import { describe, expect, it } from 'vitest';
import { isFencedOff } from '../../../src/core/lane-fence.ts';
import {
  aConsumer,
  aJob,
  aQueue,
  enqueue,
  HEAD,
  ids,
  idsOf,
  jobIn,
  SHORT_MS,
  someJobs,
} from './lane-fixture.ts';
import { takeNow, type OpenLaneFixture } from './lane-fixture.ts';
import { eventually } from './recorder.ts';

export function describeEnqueue(open: OpenLaneFixture): void {
  describe('jobs that are enqueued', () => {
    it('wait in the lane that they were routed to, first in, first out', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const queue = aQueue(fixture);
      const stable = someJobs(5);
      const canary = someJobs(3, { lane: 'canary', version: 'v1.3.0' });
      const [first, ...rest] = stable;
      if (first !== undefined) await enqueue(store, queue, first);
      const result = await enqueue(other, queue, ...rest, ...canary);
      expect(result).toEqual({
        kind: 'stored',
        jobs: [...rest, ...canary].map(({ lane }) => ({ kind: 'stored', lane })),
      });
      const consumer = aConsumer(other);
      expect(idsOf(await takeNow(consumer, queue, 'canary'))).toEqual(ids(canary));
      expect(idsOf(await takeNow(consumer, queue, 'stable', 2))).toEqual(ids(stable).slice(0, 2));
      expect(idsOf(await takeNow(consumer, queue))).toEqual(ids(stable).slice(2));
      expect(await takeNow(consumer, queue)).toEqual([]);
    });

    it('come out as they went in, whatever is in them', async () => {
      await using fixture = await open();
      const queue = aQueue(fixture);
      const full = aJob({
        id: 'id with spaces, ünï ☃ "quotes"',
        tenant: 'acme',
        method: 'PUT',
        path: '/charges/7?now=1',
        headers: { 'x-empty': '', accept: '*/*' },
        trace: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'a=b' },
        body: Buffer.from('{"text":"ä \\u0000 \u{1F600}","n":0.10}'),
        history: [anyAttempt],
        attempt: 2,
      });
      const bare = aJob({ headers: {}, body: new Uint8Array() });
      const mark = aJob({ body: Buffer.from('\uFEFFbyte order mark\u0000') });
      await enqueue(fixture.store, queue, full, bare, mark);
      const taken = await takeNow(aConsumer(fixture.store), queue);
      expect(taken.map(plain)).toEqual(
        [full, bare, mark].map((job) => ({ ...job, body: bytesOf(job.body) })),
      );
    });

    it('may have any bytes as a body, of 10 MB too', async () => {
      await using fixture = await open();
      const every = Uint8Array.from({ length: 256 }, (_, i) => 255 - i);
      const large = Buffer.alloc(10 * 1024 * 1024, every);
      for (const envelope of ['json', 'raw'] as const) {
        const queue = aQueue(fixture, { envelope });
        await enqueue(fixture.store, queue, aJob({ body: every }));
        await enqueue(fixture.store, queue, aJob({ body: large }));
        const consumer = aConsumer(fixture.store);
        const bodies = [
          ...(await takeNow(consumer, queue, 'stable', 1)),
          ...(await takeNow(consumer, queue, 'stable', 1)),
        ].map((job) => jobIn(job).body);
        expect(bodies.map((body, i) => Buffer.compare(body, i === 0 ? every : large))).toEqual([0, 0]);
      }
    });

    it('are not stored again under the same id: the answer names the lane of the first time', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const queue = aQueue(fixture);
      const job = aJob({ lane: 'canary' });
      await enqueue(store, queue, job);
      const repeated = { ...job, lane: 'stable' } as const;
      expect(await enqueue(other, queue, repeated)).toEqual({
        kind: 'stored',
        jobs: [{ kind: 'known', lane: 'canary' }],
      });
      const twice = aJob();
      expect(await enqueue(store, queue, twice, { ...twice, lane: 'canary' })).toEqual({
        kind: 'stored',
        jobs: [
          { kind: 'stored', lane: 'stable' },
          { kind: 'known', lane: 'stable' },
        ],
      });
      expect((await store.readDepths(queue)).lanes).toMatchObject({
        stable: { waiting: 1 },
        canary: { waiting: 1 },
      });
      // Also when it is in somebody's hands, or done. Another queue knows nothing of it.
      const consumer = aConsumer(store);
      const [taken] = await takeNow(consumer, queue, 'canary');
      if (taken !== undefined) await consumer.acknowledge(taken);
      expect(await enqueue(store, queue, job)).toMatchObject({ jobs: [{ kind: 'known' }] });
      expect(await enqueue(store, aQueue(fixture), job)).toMatchObject({ jobs: [{ kind: 'stored' }] });
    });

    it('may come again once the ledger has forgotten them', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const queue = aQueue(fixture);
      const job = aJob();
      await store.enqueueJobs(queue, [job], { routedBy: HEAD, ledgerTtlMs: SHORT_MS });
      fixture.elapse(SHORT_MS);
      await eventually(async () => {
        const result = await store.enqueueJobs(queue, [job], { routedBy: HEAD, ledgerTtlMs: SHORT_MS });
        return result.kind === 'stored' && result.jobs[0]?.kind === 'stored';
      });
      expect((await store.readDepths(queue)).lanes.stable.waiting).toBe(2);
    });

    it('may be a thousand in one call, and come from many producers at once', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const queue = aQueue(fixture);
      const jobs = someJobs(1_000);
      const results = await Promise.all([
        enqueue(store, queue, ...jobs),
        enqueue(other, queue, ...jobs),
        ...jobs.slice(0, 50).map((job) => enqueue(other, queue, job)),
      ]);
      const stored = results.flatMap((r) =>
        r.kind === 'stored' ? r.jobs.filter((j) => j.kind === 'stored') : [],
      );
      expect(stored).toHaveLength(1_000);
      const taken = await takeNow(aConsumer(store), queue, 'stable', 2_000);
      expect(idsOf(taken).toSorted()).toEqual(ids(jobs).toSorted());
    });

    it('are none at all where none are given', async () => {
      await using fixture = await open();
      expect(await enqueue(fixture.store, aQueue(fixture))).toEqual({ kind: 'stored', jobs: [] });
    });
  });

  describe('a fence', () => {
    const at = (revision: number, epoch = HEAD.epoch) => ({ routedBy: { epoch, revision } });

    it('refuses what was routed before it, and stores nothing of it', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const queue = aQueue(fixture);
      await store.fenceQueue(queue, undefined, { ...HEAD, revision: 7 });
      const jobs = someJobs(3, { lane: 'canary' });
      expect(await other.enqueueJobs(queue, jobs, at(6))).toEqual({ kind: 'stale' });
      expect((await store.readDepths(queue)).lanes.canary.waiting).toBe(0);
      // Not known to the ledger either: routed again, they are stored.
      expect(await other.enqueueJobs(queue, jobs, at(7))).toMatchObject({
        jobs: [{ kind: 'stored' }, {}, {}],
      });
      expect(await other.enqueueJobs(queue, someJobs(1), at(8))).toMatchObject({ kind: 'stored' });
    });

    it('only grows within an epoch', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const queue = aQueue(fixture);
      for (const revision of [9, 10, 3]) await store.fenceQueue(queue, undefined, { ...HEAD, revision });
      expect(await store.enqueueJobs(queue, someJobs(1), at(9))).toEqual({ kind: 'stale' });
      expect(await store.enqueueJobs(queue, someJobs(1), at(10))).toMatchObject({ kind: 'stored' });
    });

    it('of a tenant stops that tenant alone, that of the queue everybody', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const queue = aQueue(fixture);
      await store.fenceQueue(queue, 'acme', { ...HEAD, revision: 7 });
      const acme = someJobs(1, { tenant: 'acme' });
      expect(await store.enqueueJobs(queue, acme, at(5))).toEqual({ kind: 'stale' });
      expect(await store.enqueueJobs(queue, someJobs(1, { tenant: 'globex' }), at(5))).toMatchObject({
        kind: 'stored',
      });
      expect(await store.enqueueJobs(queue, someJobs(1), at(5))).toMatchObject({ kind: 'stored' });
      // One of them stops the whole call.
      expect(await store.enqueueJobs(queue, [aJob(), ...acme], at(5))).toEqual({ kind: 'stale' });
      await store.fenceQueue(queue, undefined, { ...HEAD, revision: 6 });
      expect(await store.enqueueJobs(queue, someJobs(1, { tenant: 'globex' }), at(5))).toEqual({
        kind: 'stale',
      });
      expect(await store.enqueueJobs(aQueue(fixture), acme, at(5))).toMatchObject({ kind: 'stored' });
    });

    it('never stands against jobs that are stored already: their producer repeats a lost answer', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const queue = aQueue(fixture);
      const job = aJob({ lane: 'canary' });
      await store.enqueueJobs(queue, [job], at(5));
      await store.fenceQueue(queue, undefined, { ...HEAD, revision: 7 });
      expect(await store.enqueueJobs(queue, [job], at(5))).toMatchObject({
        jobs: [{ kind: 'known', lane: 'canary' }],
      });
      expect(await store.enqueueJobs(queue, [job, aJob()], at(5))).toEqual({ kind: 'stale' });
    });

    it('of an older epoch is void for those of a newer one, and stands against the rest', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const queue = aQueue(fixture);
      await store.fenceQueue(queue, undefined, { epoch: 'epoch-2', revision: 7 });
      for (const routedBy of [
        { epoch: 'epoch-1', revision: 99 },
        { epoch: 'epoch-2', revision: 6 },
        { epoch: 'epoch-2', revision: 7 },
        { epoch: 'epoch-3', revision: 1 },
      ]) {
        const { kind } = await store.enqueueJobs(queue, someJobs(1), { routedBy });
        expect(kind).toBe(isFencedOff({ epoch: 'epoch-2', revision: 7 }, routedBy) ? 'stale' : 'stored');
      }
      // Whoever fences has just read or written the store, so its epoch is the one that counts.
      await store.fenceQueue(queue, undefined, { epoch: 'epoch-1', revision: 1 });
      expect(await store.enqueueJobs(queue, someJobs(1), at(1, 'epoch-1'))).toMatchObject({ kind: 'stored' });
    });
  });
}

const anyAttempt = {
  at: 5,
  version: 'v1',
  worker: 'w',
  outcome: 'timeout',
  status: 504,
  message: 'late',
} as const;

function bytesOf(body: Uint8Array): number[] {
  return [...body];
}

function plain(taken: Parameters<typeof jobIn>[0]): object {
  const job = jobIn(taken);
  return { ...job, body: bytesOf(job.body) };
}
