import { describe, expect, it } from 'vitest';
import { record } from '../../../src/core/histogram.ts';
import { addLanes, createLanesTotals, type LanesTotals } from '../../../src/core/lane-totals.ts';
import { OUTCOME_INDEX } from '../../../src/core/outcome.ts';
import type { OpenFixture } from './fixture.ts';

function delta(latencies: readonly number[]): LanesTotals {
  const totals = createLanesTotals();
  for (const [i, latency] of latencies.entries()) {
    const lane = totals[i % 3 === 0 ? 'canary' : 'stable'];
    lane.routed++;
    lane.outcomes[i % 2 === 0 ? OUTCOME_INDEX.success : OUTCOME_INDEX.failure]!++;
    record(lane.latency, latency);
  }
  return totals;
}

const HOUR = 3_600_000;

export function describeTelemetry(open: OpenFixture): void {
  describe('telemetry', () => {
    it('adds up over whoever records it, and is read by anyone', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const parts = [delta([1, 2, 3, 4.5]), delta([0.25, 700, 70_000]), delta([12])];
      await Promise.all(parts.map((part, i) => (i === 0 ? other : store).recordTelemetry('canary_1', part)));
      const expected = createLanesTotals();
      for (const part of parts) addLanes(expected, part);
      const read = await other.readTelemetry('canary_1', HOUR);
      for (const lane of ['stable', 'canary'] as const) {
        expect(read[lane].routed).toBe(expected[lane].routed);
        expect(read[lane].outcomes).toEqual(expected[lane].outcomes);
        expect(read[lane].latency.counts).toEqual(expected[lane].latency.counts);
        expect(read[lane].latency.count).toBe(expected[lane].latency.count);
        expect(read[lane].latency.sum).toBeCloseTo(expected[lane].latency.sum, 3);
        expect(read[lane].latency.max).toBeCloseTo(expected[lane].latency.max, 3);
      }
    });

    it('is kept for each deployment by itself, and empty where there was none', async () => {
      await using fixture = await open();
      const { store } = fixture;
      await store.recordTelemetry('canary_1', delta([1]));
      expect((await store.readTelemetry('canary_1', HOUR)).canary.routed).toBe(1);
      expect(await store.readTelemetry('canary_2', HOUR)).toEqual(createLanesTotals());
    });

    it('takes a delta of nothing', async () => {
      await using fixture = await open();
      const { store } = fixture;
      await store.recordTelemetry('canary_1', createLanesTotals());
      expect(await store.readTelemetry('canary_1', HOUR)).toEqual(createLanesTotals());
    });

    it('can be read as it stood some time ago, and what came after that is not in it', async () => {
      await using fixture = await open();
      const { store } = fixture;
      await store.recordTelemetry('canary_1', delta([1, 2]));
      expect(await store.readTelemetry('canary_1', HOUR, 60_000)).toEqual(createLanesTotals());
      expect((await store.readTelemetry('canary_1', HOUR, 0)).stable.routed).toBe(1);
    });

    it('can be read over a whole day', async () => {
      await using fixture = await open();
      const { store } = fixture;
      await store.recordTelemetry('canary_1', delta([1, 2]));
      expect((await store.readTelemetry('canary_1', 24 * HOUR)).stable.routed).toBe(1);
    });
  });
}
