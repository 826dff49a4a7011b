import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { logEvidenceAbove } from '../../../src/core/judge/one-sample.ts';

const rate = fc.double({ min: 0.001, max: 0.99, noNaN: true });
const counts = fc
  .tuple(fc.integer({ min: 0, max: 400 }), fc.double({ min: 0, max: 1, noNaN: true }))
  .map(([trials, share]) => ({ trials, hits: Math.round(trials * share) }));

describe('the one-sample test', () => {
  test('is not expected to grow with the next trial while the rate is at most what is allowed', () => {
    fc.assert(
      fc.property(
        rate,
        counts,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (most, { trials, hits }, part) => {
          const now = logEvidenceAbove(most, trials, hits);
          const factor = (more: number): number =>
            Math.exp(logEvidenceAbove(most, trials + 1, hits + more) - now);
          const p = most * part;
          expect(p * factor(1) + (1 - p) * factor(0)).toBeLessThanOrEqual(1 + 1e-9);
        },
      ),
    );
  });

  test('a trial counted as a miss gives less than the same trial as a hit, and no more than not counting it', () => {
    fc.assert(
      fc.property(rate, counts, (most, { trials, hits }) => {
        const unknown = logEvidenceAbove(most, trials + 1, hits);
        expect(unknown).toBeLessThanOrEqual(logEvidenceAbove(most, trials + 1, hits + 1) + 1e-12);
        expect(unknown).toBeLessThanOrEqual(logEvidenceAbove(most, trials, hits) + 1e-12);
      }),
    );
  });

  test('never falls below half of what it began with: there is always something left for the next step', () => {
    fc.assert(
      fc.property(rate, counts, (most, { trials, hits }) => {
        expect(logEvidenceAbove(most, trials, hits)).toBeGreaterThanOrEqual(Math.log(0.5) - 1e-12);
      }),
    );
  });

  test.each([
    [0.05, 20, 20, 10],
    [0.05, 100, 30, 10],
    [0.2, 10, 10, 5],
  ])('above %d, %d trials with %d hits are evidence', (most, trials, hits, nats) => {
    expect(logEvidenceAbove(most, trials, hits)).toBeGreaterThan(nats);
  });

  test.each([
    ['nothing can be above 1', 1, 100, 100],
    ['no trials say nothing', 0.05, 0, 0],
  ])('%s', (_, most, trials, hits) => {
    expect(logEvidenceAbove(most, trials, hits)).toBe(0);
  });

  test('where nothing may hit, a few hits decide and none is no harm', () => {
    expect(logEvidenceAbove(0, 100, 3)).toBeGreaterThan(Math.log(200));
    expect(logEvidenceAbove(0, 1000, 0)).toBeLessThanOrEqual(0);
  });
});
