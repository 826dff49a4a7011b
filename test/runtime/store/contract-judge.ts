import { describe, expect, it } from 'vitest';
import { listenUp } from './event-recorder.ts';
import type { OpenFixture } from './fixture.ts';
import { eventually } from './recorder.ts';
import { aDeployment, aJudgement, anEvent, create, leaseOf } from './samples.ts';

const LONG_MS = 60_000;

/** Long enough for a few calls on a busy machine where the lease runs in real time. */
const SHORT_MS = 3_000;

export function describeJudge(open: OpenFixture): void {
  describe("the judge's lease", () => {
    it('has one holder, whose fence stays the same for as long as it extends it', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const fence = await leaseOf(store, 'a');
      expect(await other.claimJudgeLease('b', LONG_MS)).toBeUndefined();
      expect(await store.claimJudgeLease('a', LONG_MS)).toBe(fence);
      expect(await other.claimJudgeLease('a', LONG_MS)).toBe(fence);
    });

    it('goes to one of all who ask at once', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const fences = await Promise.all(
        Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? store : other).claimJudgeLease(`${i}`, LONG_MS)),
      );
      expect(fences.filter((fence) => fence !== undefined)).toHaveLength(1);
    });

    it('is free at once when it is released, by its holder only, and the next fence is higher', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const first = await leaseOf(store, 'a');
      await other.releaseJudgeLease('b');
      expect(await other.claimJudgeLease('b', LONG_MS)).toBeUndefined();
      await store.releaseJudgeLease('a');
      await store.releaseJudgeLease('a');
      const second = await leaseOf(other, 'b');
      expect(second).toBeGreaterThan(first);
      await other.releaseJudgeLease('b');
      expect(await leaseOf(other, 'b')).toBeGreaterThan(second);
    });

    it('is free when it has run out, and its fence goes up, whoever takes it then', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const first = await leaseOf(store, 'a', SHORT_MS);
      fixture.elapse(SHORT_MS);
      let second: number | undefined;
      await eventually(async () => (second = await other.claimJudgeLease('b', SHORT_MS)) !== undefined);
      expect(second).toBeGreaterThan(first);
      expect(await store.claimJudgeLease('a', SHORT_MS)).toBeUndefined();
      fixture.elapse(SHORT_MS);
      let third: number | undefined;
      await eventually(async () => (third = await other.claimJudgeLease('a', LONG_MS)) !== undefined);
      expect(third).toBeGreaterThan(second!);
      fixture.elapse(LONG_MS - 1);
      expect(await other.claimJudgeLease('a', LONG_MS)).toBe(third);
    });
  });

  describe('a judgement', () => {
    it('is read back as it was written, whatever the judge keeps in it', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const deployment = aDeployment();
      await create(store, deployment);
      expect(await other.readJudgement(deployment.id)).toBeUndefined();
      const fence = await leaseOf(store, 'a');
      for (const status of ['unknown', 'healthy', 'failing'] as const) {
        const judgement = aJudgement({ status });
        const saving = { deploymentId: deployment.id, judgement, fence, events: [], notices: [] };
        expect(await store.saveJudgement(saving)).toBe(true);
        expect(await other.readJudgement(deployment.id)).toEqual(judgement);
      }
      expect(await other.readJudgement('canary_unknown')).toBeUndefined();
    });

    it('comes with its events, which are kept and told like those of a change', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const deployment = aDeployment();
      await using recorder = await listenUp(other, deployment);
      await create(store, deployment);
      await store.saveJudgement({
        deploymentId: deployment.id,
        judgement: aJudgement(),
        fence: await leaseOf(store, 'a'),
        events: [anEvent(deployment.id, 'one'), anEvent(deployment.id, 'two')],
        notices: [],
      });
      const messages = (await other.listEvents(deployment.id)).map((event) => event.message);
      expect(messages).toEqual(['two', 'one', 'created']);
      await eventually(() => recorder.told.length === 4);
      expect(recorder.told.slice(2)).toEqual([
        { kind: 'event', event: anEvent(deployment.id, 'one'), position: 2 },
        { kind: 'event', event: anEvent(deployment.id, 'two'), position: 3 },
      ]);
      expect(await store.readHead()).toMatchObject({ revision: 1 });
      expect(await store.getDeployment(deployment.id)).toEqual(deployment);
    });

    it('goes with its deployment, and is not kept for one that is gone', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const deployment = aDeployment();
      await create(store, deployment);
      const saving = {
        deploymentId: deployment.id,
        judgement: aJudgement(),
        fence: await leaseOf(store, 'a'),
        events: [anEvent(deployment.id, 'late')],
        notices: [{ id: 'late', webhook: 'ops', event: anEvent(deployment.id, 'late') }],
      };
      expect(await store.saveJudgement(saving)).toBe(true);
      await store.settleNotice('late');
      await store.deleteDeployment(deployment.id, 1);
      expect(await store.readJudgement(deployment.id)).toBeUndefined();
      expect(await store.saveJudgement(saving)).toBe(false);
      expect(await store.readJudgement(deployment.id)).toBeUndefined();
      expect(await store.listEvents(deployment.id)).toEqual([]);
      expect(await store.takeNotices(10, LONG_MS)).toEqual([]);
    });
  });

  describe('what a judge does under a fence', () => {
    it('is refused as soon as somebody else has the lease, all of it', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const deployment = aDeployment();
      await create(store, deployment);
      const stale = await leaseOf(store, 'a');
      await store.releaseJudgeLease('a');
      const fence = await leaseOf(other, 'b');
      const events = [anEvent(deployment.id, 'decided')];
      const notices = [{ id: 'decided', webhook: 'ops', event: events[0]! }];
      const judgement = aJudgement();
      const saving = { deploymentId: deployment.id, judgement, events, notices };
      const change = {
        deployment: { ...deployment, version: 2 },
        expectedVersion: 1,
        events,
        notices,
      };
      expect(await store.saveJudgement({ ...saving, fence: stale })).toBe(false);
      expect(await store.saveDeployment({ ...change, fence: stale })).toEqual({ kind: 'stale' });
      expect(await store.readJudgement(deployment.id)).toBeUndefined();
      expect(await store.getDeployment(deployment.id)).toEqual(deployment);
      expect(await store.listEvents(deployment.id)).toHaveLength(1);
      expect(await store.takeNotices(10, LONG_MS)).toEqual([]);

      expect(await other.saveJudgement({ ...saving, events: [], notices: [], fence })).toBe(true);
      expect(await other.saveDeployment({ ...change, fence })).toMatchObject({ kind: 'saved' });
      // An operator needs no lease.
      const next = { ...change, deployment: { ...deployment, version: 3 }, expectedVersion: 2 };
      expect(await store.saveDeployment(next)).toMatchObject({ kind: 'saved' });
    });

    it('is refused when the lease has run out, also while nobody else has taken it', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const deployment = aDeployment();
      await create(store, deployment);
      const fence = await leaseOf(store, 'a', SHORT_MS);
      const saving = { deploymentId: deployment.id, fence, events: [], notices: [] };
      expect(await store.saveJudgement({ ...saving, judgement: aJudgement() })).toBe(true);
      fixture.elapse(SHORT_MS);
      const late = aJudgement({ evaluatedAt: 2 });
      await eventually(async () => !(await store.saveJudgement({ ...saving, judgement: late })));
      const change = { deployment: { ...deployment, version: 2 }, expectedVersion: 1, events: [], fence };
      expect(await store.saveDeployment(change)).toEqual({ kind: 'stale' });
    });

    it('is refused under a fence that nobody ever had', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const deployment = aDeployment();
      await create(store, deployment);
      const saving = { deploymentId: deployment.id, judgement: aJudgement(), events: [], notices: [] };
      for (const fence of [0, 1, 1e12]) expect(await store.saveJudgement({ ...saving, fence })).toBe(false);
    });
  });
}
