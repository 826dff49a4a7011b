import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { record } from '../../src/core/histogram.ts';
import {
  addLanes,
  completionRatio,
  createLanesTotals,
  errorCount,
  errorRate,
  jobCount,
  latencyQuantile,
  successCount,
  type LanesTotals,
} from '../../src/core/lane-totals.ts';
import { OUTCOMES } from '../../src/core/outcome.ts';
import { addFields, fromFields, toFields } from '../../src/runtime/store/telemetry-fields.ts';

const totals = fc
  .array(
    fc.record({
      canary: fc.boolean(),
      outcome: fc.nat(OUTCOMES.length - 1),
      ms: fc.double({ min: 0, max: 1e6, noNaN: true }),
    }),
  )
  .map((jobs) => {
    const made = createLanesTotals();
    for (const { canary, outcome, ms } of jobs) {
      const lane = made[canary ? 'canary' : 'stable'];
      lane.routed++;
      lane.outcomes[outcome]!++;
      if (OUTCOMES[outcome] !== 'aborted') record(lane.latency, ms);
    }
    return made;
  });

/** Without the sums of floating-point numbers, which depend on the order in the last digits. */
function counts({ stable, canary }: LanesTotals) {
  return [stable, canary].map(({ routed, outcomes, latency }) => [
    routed,
    outcomes,
    [...latency.counts],
    latency.count,
  ]);
}

describe('lane totals', () => {
  test('of parts make the totals of the whole, in whatever order', () => {
    fc.assert(
      fc.property(totals, totals, (a, b) => {
        const [ab, ba] = [createLanesTotals(), createLanesTotals()];
        for (const part of [a, b]) addLanes(ab, part);
        for (const part of [b, a]) addLanes(ba, part);
        expect(counts(ab)).toEqual(counts(ba));
        expect(jobCount(ab.canary)).toBe(jobCount(a.canary) + jobCount(b.canary));
      }),
    );
  });

  test('count everything but aborted jobs, and everything but success as an error', () => {
    const { canary } = createLanesTotals();
    canary.outcomes.splice(0, 6, 90, 4, 3, 2, 1, 50);
    expect([jobCount(canary), successCount(canary), errorCount(canary), errorRate(canary)]).toEqual([
      100, 90, 10, 10,
    ]);
  });

  test('know what they do not know', () => {
    const { canary } = createLanesTotals();
    expect([errorRate(canary), completionRatio(canary), latencyQuantile(canary, 0.95)]).toEqual([
      null,
      null,
      null,
    ]);
  });

  test('survive being written as fields, to the microsecond', () => {
    fc.assert(
      fc.property(totals, (written) => {
        const { sums, maxima } = toFields(written);
        const read = fromFields([[...sums, ...maxima]]);
        expect(counts(read)).toEqual(counts(written));
        for (const lane of ['stable', 'canary'] as const) {
          expect(read[lane].latency.sum).toBeCloseTo(written[lane].latency.sum, 2);
          expect(read[lane].latency.max - written[lane].latency.max).toBeGreaterThanOrEqual(-1e-9);
          expect(read[lane].latency.max - written[lane].latency.max).toBeLessThan(0.002);
        }
      }),
    );
  });

  test('pass over fields of a later release', () => {
    const read = createLanesTotals();
    addFields(read, [
      ['c.9', 1],
      ['c.h99999', 1],
      ['x.r', 1],
      ['whatever', 1],
      ['c.r', 2],
    ]);
    const expected = createLanesTotals();
    expected.canary.routed = 2;
    expect(read).toEqual(expected);
  });
});
