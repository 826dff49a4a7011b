import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  logEvidence,
  nextStep,
  observe,
  openTwoSample,
  type Bet,
  type TwoSample,
} from '../../../src/core/judge/two-sample.ts';
import { randomOf } from '../fixtures.ts';

const BET: Bet = { margin: 0.05, visible: 1, memory: 1, random: () => 0.5 };

function binomial(n: number, k: number, p: number): number {
  let ways = 1;
  for (let i = 1; i <= k; i++) ways = (ways * (n - k + i)) / i;
  return ways * p ** k * (1 - p) ** (n - k);
}

/** Exactly, by going through everything that can happen in one block. */
function expectedFactor(
  before: TwoSample,
  n: number,
  x: number,
  bet: Bet,
  stableRate: number,
  canaryRate: number,
): number {
  let expected = 0;
  for (let s = 0; s <= n; s++) {
    for (let c = 0; c <= x; c++) {
      const increment = { stable: { trials: n, hits: s }, canary: { trials: x, hits: c } };
      const factor = Math.exp(logEvidence(observe(before, increment, bet)) - logEvidence(before));
      expected += binomial(n, s, stableRate) * binomial(x, c, canaryRate) * factor;
    }
  }
  return expected;
}

const trials = fc
  .record({ trials: fc.integer({ min: 0, max: 500 }), share: fc.double({ min: 0, max: 1, noNaN: true }) })
  .map(({ trials: count, share }) => ({ trials: count, hits: Math.round(count * share) }));

const states: fc.Arbitrary<TwoSample> = fc.record({ stable: trials, canary: trials }).map((seen) => ({
  ...openTwoSample(),
  ...seen,
}));

const unit = fc.double({ min: 0, max: 1, noNaN: true });

describe('the two-sample test', () => {
  test('is fair or worse on the whole border, whatever was seen before: that is what makes its wealth evidence', () => {
    fc.assert(
      fc.property(
        states,
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 4 }),
        fc.double({ min: 0, max: 0.5, noNaN: true }),
        unit,
        (before, n, x, margin, place) => {
          const stableRate = place * (1 - margin);
          const bet = { ...BET, margin };
          expect(expectedFactor(before, n, x, bet, stableRate, stableRate + margin)).toBeLessThanOrEqual(
            1 + 1e-9,
          );
        },
      ),
      { numRuns: 500 },
    );
  });

  test('is all the worse inside the null', () => {
    fc.assert(
      fc.property(states, unit, unit, (before, stableRate, part) => {
        const canaryRate = part * Math.min(1, stableRate + BET.margin);
        expect(expectedFactor(before, 5, 3, BET, stableRate, canaryRate)).toBeLessThanOrEqual(1 + 1e-9);
      }),
      { numRuns: 300 },
    );
  });

  test('grows in the mean where the canary is worse than allowed', () => {
    const before = { ...openTwoSample(), stable: { trials: 300, hits: 3 }, canary: { trials: 30, hits: 6 } };
    expect(expectedFactor(before, 6, 1, BET, 0.01, 0.21)).toBeGreaterThan(1.05);
  });

  test('costs nothing while the canary is well inside its threshold', () => {
    let state: TwoSample = {
      ...openTwoSample(),
      stable: { trials: 100, hits: 5 },
      canary: { trials: 100, hits: 5 },
    };
    for (let i = 0; i < 1000; i++) {
      state = observe(state, { stable: { trials: 90, hits: 4 }, canary: { trials: 10, hits: 0 } }, BET);
    }
    expect(logEvidence(state)).toBeCloseTo(0, 12);
  });

  test('says nothing before stable has shown what it does', () => {
    const onlyCanary = observe(
      openTwoSample(),
      { stable: { trials: 0, hits: 0 }, canary: { trials: 4, hits: 4 } },
      BET,
    );
    expect(logEvidence(onlyCanary)).toBeCloseTo(0, 12);
  });

  test('says nothing by canary jobs that no stable job stands beside', () => {
    const known = { ...openTwoSample(), stable: { trials: 100, hits: 1 } };
    const after = observe(known, { stable: { trials: 0, hits: 0 }, canary: { trials: 4, hits: 4 } }, BET);
    expect(logEvidence(after)).toBeCloseTo(0, 12);
  });

  test('keeps its wealth over a step and forgets its beliefs', () => {
    let state: TwoSample = { ...openTwoSample(), stable: { trials: 100, hits: 1 } };
    state = observe(state, { stable: { trials: 36, hits: 0 }, canary: { trials: 4, hits: 3 } }, BET);
    const next = nextStep(state);
    expect(logEvidence(state)).toBeGreaterThan(1);
    expect(logEvidence(next)).toBeCloseTo(logEvidence(state), 10);
    expect(next.stable.trials + next.canary.trials).toBe(0);
  });

  test('a late regression is found although a thousand good jobs came before it', () => {
    const random = randomOf(7);
    let state = openTwoSample();
    const look = (failed: number, memory: number): void => {
      const increment = { stable: { trials: 90, hits: 1 }, canary: { trials: 10, hits: failed } };
      state = observe(state, increment, { ...BET, memory, random });
    };
    for (let i = 0; i < 1000; i++) look(0, 0.98);
    for (let i = 0; i < 30; i++) look(3, 0.98);
    expect(logEvidence(state)).toBeGreaterThan(Math.log(1000));
  });

  test('never yields anything but a number, whatever it is given', () => {
    fc.assert(
      fc.property(
        states,
        trials,
        trials,
        unit,
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        fc.integer(),
        (before, stable, canary, margin, visible, seed) => {
          const after = observe(
            before,
            { stable, canary },
            { margin, visible, memory: 0.5, random: randomOf(seed) },
          );
          expect(Number.isFinite(logEvidence(after))).toBe(true);
          expect(after.canary.trials).toBeCloseTo(before.canary.trials / 2 + canary.trials, 6);
          expect(after.canary.hits).toBeCloseTo(before.canary.hits / 2 + canary.hits, 6);
        },
      ),
    );
  });
});
