import { describe, expect, it } from 'vitest';
import { NOTICES_MAX, type Notice } from '../../../src/runtime/store/outbox-store.ts';
import type { Store } from '../../../src/runtime/store/store.ts';
import { openSplit } from '../../../src/core/route.ts';
import type { OpenFixture } from './fixture.ts';
import { eventually } from './recorder.ts';
import { aDeployment, aJudgement, anEvent, leaseOf } from './samples.ts';

const LONG_MS = 60_000;
const SHORT_MS = 300;

function aNotice(id: string): Notice {
  return { id, webhook: 'ops', event: anEvent('canary_1', id) };
}

/** Creates a deployment, which the notices are stored with. */
async function tell(store: Store, ...notices: readonly Notice[]) {
  const deployment = aDeployment({ queue: `queue-${notices[0]?.id}` });
  const route = openSplit(undefined, deployment);
  await store.createDeployment({
    deployment,
    route,
    basedOnRevision: 0,
    events: [],
    notices,
    openMax: 1_000,
  });
  return { deployment, route };
}

async function ids(store: Store, limit = 100, leaseMs = LONG_MS): Promise<string[]> {
  return (await store.takeNotices(limit, leaseMs)).map((notice) => notice.id);
}

export function describeOutbox(open: OpenFixture): void {
  describe('notices', () => {
    it('are stored with what they tell of, and taken as they were written, in their order', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const { deployment } = await tell(store, aNotice('z-created'), aNotice('a-created'));
      await store.saveDeployment({
        deployment: { ...deployment, version: 2 },
        expectedVersion: 1,
        events: [],
        notices: [aNotice('saved')],
      });
      const fence = await leaseOf(store, 'judge');
      const saving = { deploymentId: deployment.id, judgement: aJudgement(), fence, events: [] };
      await store.saveJudgement({ ...saving, notices: [aNotice('judged')] });
      expect(await other.takeNotices(10, LONG_MS)).toEqual(
        ['z-created', 'a-created', 'saved', 'judged'].map((id) => ({ ...aNotice(id), attempt: 1 })),
      );
    });

    it('of a change that came too late are not stored', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const { deployment, route } = await tell(store);
      const notices = [aNotice('late')];
      const change = { deployment, expectedVersion: 7, events: [], notices };
      expect(await store.saveDeployment(change)).toEqual({ kind: 'stale' });
      const creation = { deployment, route, basedOnRevision: 0, events: [], notices, openMax: 10 };
      expect(await store.createDeployment(creation)).toMatchObject({ kind: 'exists' });
      expect(await ids(store)).toEqual([]);
    });

    it('are given to one of all who ask, as many as it asks for', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const all = Array.from({ length: 40 }, (_, i) => `notice-${i}`);
      await tell(store, ...all.map(aNotice));
      const taken = await Promise.all(
        Array.from({ length: 10 }, (_, i) => ids(i % 2 === 0 ? store : other, 3)),
      );
      expect(taken.map((part) => part.length)).toEqual(Array.from({ length: 10 }, () => 3));
      expect(new Set(taken.flat())).toEqual(new Set(all.slice(0, 30)));
      expect(await ids(store)).toEqual(all.slice(30));
      expect(await ids(other)).toEqual([]);
    });

    it('come again when their lease has run out, and tell how often they were taken', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      await tell(store, aNotice('dropped'));
      expect(await store.takeNotices(10, SHORT_MS)).toMatchObject([{ id: 'dropped', attempt: 1 }]);
      fixture.elapse(SHORT_MS);
      await eventually(async () => {
        const [again] = await other.takeNotices(10, LONG_MS);
        return again?.attempt === 2;
      });
    });

    it('that are settled do not come again, however often that is said', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      await tell(store, aNotice('one'), aNotice('two'));
      await ids(store, 10, SHORT_MS);
      await other.settleNotice('one');
      await other.settleNotice('one');
      await other.postponeNotice('one', 0);
      fixture.elapse(SHORT_MS);
      await eventually(async () => (await ids(store)).includes('two'));
      await store.postponeNotice('two', 0);
      expect(await ids(store)).toEqual(['two']);
    });

    it('that are postponed come later, those first that are due the longest', async () => {
      await using fixture = await open();
      const { store } = fixture;
      await tell(store, aNotice('a'), aNotice('b'), aNotice('c'));
      await ids(store);
      await store.postponeNotice('b', 0);
      await store.postponeNotice('c', LONG_MS);
      fixture.elapse(1);
      await store.postponeNotice('a', 0);
      expect(await ids(store)).toEqual(['b', 'a']);
      await store.postponeNotice('b', SHORT_MS);
      fixture.elapse(SHORT_MS);
      await eventually(async () => (await ids(store)).includes('b'));
    });

    it('whose id is there already are not stored again, and keep their turn', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const { deployment } = await tell(store, aNotice('same'));
      await ids(store);
      await store.saveDeployment({
        deployment: { ...deployment, version: 2 },
        expectedVersion: 1,
        events: [],
        notices: [aNotice('same')],
      });
      expect(await ids(store)).toEqual([]);
    });

    it('outlive their deployment: that it was rolled back is still to be told', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const { deployment } = await tell(store, aNotice('last'));
      await store.deleteDeployment(deployment.id, 1);
      expect(await ids(store)).toEqual(['last']);
    });

    it('that nobody takes are not kept for ever: beyond the most that are kept, the oldest go', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const event = { ...anEvent('canary_1', 'e'), data: {} };
      const made = (id: string): Notice => ({ id, webhook: 'gone', event });
      let { deployment } = await tell(store, made('first'), made('second'));
      const part = NOTICES_MAX / 10;
      for (let i = 0; i < 10; i++) {
        const notices = Array.from({ length: i === 9 ? part - 1 : part }, (_, n) => made(`${i}/${n}`));
        const next = { ...deployment, version: deployment.version + 1 };
        await store.saveDeployment({
          deployment: next,
          expectedVersion: deployment.version,
          events: [],
          notices,
        });
        deployment = next;
      }
      expect(await ids(store, 2)).toEqual(['second', '0/0']);
      await store.settleNotice('first');
    });
  });
}
