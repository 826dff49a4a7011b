import { describe, expect, it } from 'vitest';
import { createLanesTotals } from '../../../src/core/lane-totals.ts';
import { BUCKET_MS, STEP_KEPT_MS } from '../../../src/runtime/store/telemetry-store.ts';
import type { OpenFixture } from './fixture.ts';
import { delta, exact, sumOf } from './totals.ts';

const HOUR = 3_600_000;

export function describeTelemetry(open: OpenFixture): void {
  describe('telemetry', () => {
    it('adds up over whoever records it, and is read by anyone, in the window and in its step', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const parts = [delta([1, 2, 3, 4.5]), delta([0.25, 700, 70_000]), delta([12])];
      await Promise.all(
        parts.map((part, i) => (i === 0 ? other : store).recordTelemetry('canary_1', 1, part)),
      );
      expect(exact(await other.readTelemetry('canary_1', HOUR))).toEqual(exact(sumOf(...parts)));
      expect(exact((await other.readStep('canary_1', 1)).lanes)).toEqual(exact(sumOf(...parts)));
    });

    it('is kept for each deployment by itself, and empty where there was none', async () => {
      await using fixture = await open();
      const { store } = fixture;
      await store.recordTelemetry('canary_1', 1, delta([1]));
      expect((await store.readTelemetry('canary_1', HOUR)).canary.routed).toBe(1);
      expect(await store.readTelemetry('canary_2', HOUR)).toEqual(createLanesTotals());
      expect((await store.readStep('canary_2', 1)).lanes).toEqual(createLanesTotals());
    });

    it('is kept for each step by itself, while a window holds all of them', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const [one, late, two, eleven] = [delta([1, 2, 3]), delta([4, 5]), delta([600, 7]), delta([8])];
      await store.recordTelemetry('canary_1', 1, one);
      await store.recordTelemetry('canary_1', 2, two);
      // Of a job that was routed before the step changed.
      await store.recordTelemetry('canary_1', 1, late);
      await store.recordTelemetry('canary_1', 11, eleven);
      expect(exact((await store.readStep('canary_1', 1)).lanes)).toEqual(exact(sumOf(one, late)));
      expect(exact((await store.readStep('canary_1', 2)).lanes)).toEqual(exact(two));
      expect(exact((await store.readStep('canary_1', 11)).lanes)).toEqual(exact(eleven));
      expect((await store.readStep('canary_1', 3)).lanes).toEqual(createLanesTotals());
      expect(exact(await store.readTelemetry('canary_1', HOUR))).toEqual(
        exact(sumOf(one, late, two, eleven)),
      );
    });

    it('goes on adding up in a step from one bucket to the next', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const parts = Array.from({ length: 5 }, (_, i) => delta([i, 10 * i, 20]));
      for (const part of parts) {
        await store.recordTelemetry('canary_1', 1, part);
        fixture.elapse(BUCKET_MS);
      }
      expect(exact((await store.readStep('canary_1', 1)).lanes)).toEqual(exact(sumOf(...parts)));
      expect(exact(await store.readTelemetry('canary_1', HOUR))).toEqual(exact(sumOf(...parts)));
    });

    it('takes a delta of nothing', async () => {
      await using fixture = await open();
      const { store } = fixture;
      await store.recordTelemetry('canary_1', 1, createLanesTotals());
      expect(await store.readTelemetry('canary_1', HOUR)).toEqual(createLanesTotals());
    });

    it('can be read as it stood some time ago, and what came after that is not in it', async () => {
      await using fixture = await open();
      const { store } = fixture;
      await store.recordTelemetry('canary_1', 1, delta([1, 2]));
      expect(await store.readTelemetry('canary_1', HOUR, 60_000)).toEqual(createLanesTotals());
      expect((await store.readTelemetry('canary_1', HOUR, 0)).stable.routed).toBe(1);
    });

    it('can be read over a whole day', async () => {
      await using fixture = await open();
      const { store } = fixture;
      await store.recordTelemetry('canary_1', 1, delta([1, 2]));
      expect((await store.readTelemetry('canary_1', 24 * HOUR)).stable.routed).toBe(1);
    });

    it('of a step stays while it is written to, and says when it was read, by the clock of the store', async () => {
      await using fixture = await open();
      const { store } = fixture;
      await store.recordTelemetry('canary_1', 1, delta([1]));
      fixture.elapse(STEP_KEPT_MS - BUCKET_MS);
      const before = (await store.readStep('canary_1', 1)).at;
      await store.recordTelemetry('canary_1', 1, delta([1]));
      fixture.elapse(BUCKET_MS);
      await store.recordTelemetry('canary_2', 1, delta([1]));
      const { lanes, at } = await store.readStep('canary_1', 1);
      expect(lanes.canary.routed).toBe(2);
      expect(at).toBeGreaterThanOrEqual(before);
      expect(at).toBeGreaterThan(Date.UTC(2026, 0) - 1);
    });

    it('of slow jobs adds up beyond what is exact, and is still there', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const years = createLanesTotals();
      years.stable.latency.sum = 2 ** 53 / 1000;
      years.stable.latency.count = 1;
      years.stable.routed = 7;
      for (let i = 0; i < 3; i++) await store.recordTelemetry('canary_1', 1, years);
      for (const lanes of [
        (await store.readStep('canary_1', 1)).lanes,
        await store.readTelemetry('canary_1', HOUR),
      ]) {
        expect(lanes.stable.routed).toBe(21);
        expect(lanes.stable.latency.sum / (3 * years.stable.latency.sum)).toBeCloseTo(1, 9);
      }
    });
  });
}
