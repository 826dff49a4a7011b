import { describe, expect, it } from 'vitest';
import type { OpenFixture } from './fixture.ts';
import { eventually } from './recorder.ts';

const LONG_MS = 60_000;

/** Long enough for a few calls on a busy machine where the lease runs in real time. */
const SHORT_MS = 1_000;

export function describeReports(open: OpenFixture): void {
  describe('reports of proxies', () => {
    it('count the latest of each proxy', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      await store.reportApplied({ proxyId: 'p1', epoch: 'e', revision: 1 }, LONG_MS);
      await store.reportApplied({ proxyId: 'p2', epoch: 'e', revision: 1 }, LONG_MS);
      await store.reportApplied({ proxyId: 'p1', epoch: 'e', revision: 2 }, LONG_MS);
      const reports = (await other.listReports()).toSorted((a, b) => (a.proxyId < b.proxyId ? -1 : 1));
      expect(reports).toEqual([
        { proxyId: 'p1', epoch: 'e', revision: 2 },
        { proxyId: 'p2', epoch: 'e', revision: 1 },
      ]);
    });

    it('stop counting when their lease has run out, unless it is renewed', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      await store.reportApplied({ proxyId: 'dead', epoch: 'e', revision: 1 }, SHORT_MS);
      await store.reportApplied({ proxyId: 'renewed', epoch: 'e', revision: 1 }, SHORT_MS);
      await store.reportApplied({ proxyId: 'renewed', epoch: 'e', revision: 1 }, LONG_MS);
      expect(await other.listReports()).toHaveLength(2);
      fixture.elapse(SHORT_MS - 1);
      expect(await other.listReports()).toHaveLength(2);
      fixture.elapse(1);
      await eventually(async () => (await other.listReports()).length === 1);
      expect(await other.listReports()).toEqual([{ proxyId: 'renewed', epoch: 'e', revision: 1 }]);
    });

    it('are withdrawn by a proxy that stops in good order', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      await store.reportApplied({ proxyId: 'p1', epoch: 'e', revision: 1 }, LONG_MS);
      await store.reportApplied({ proxyId: 'p2', epoch: 'e', revision: 1 }, LONG_MS);
      await store.withdrawReport('p1');
      await store.withdrawReport('unknown');
      expect(await other.listReports()).toEqual([{ proxyId: 'p2', epoch: 'e', revision: 1 }]);
    });

    it('are announced to those who wait for them, until they have gone', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      let heard = 0;
      const subscription = other.subscribeReports(() => {
        heard += 1;
      });
      const report = { proxyId: 'p', epoch: 'e', revision: 1 };
      // A hint may be missed until the subscription stands.
      await eventually(async () => {
        await store.reportApplied(report, LONG_MS);
        return heard > 0;
      });
      await subscription.close();
      let later = 0;
      const second = other.subscribeReports(() => {
        later += 1;
      });
      const before = heard;
      await eventually(async () => {
        await store.reportApplied(report, LONG_MS);
        return later > 0;
      });
      expect(heard).toBe(before);
      await second.close();
    });
  });
}
