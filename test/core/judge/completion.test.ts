import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { completionOf, extended, type RoutedAt } from '../../../src/core/judge/completion.ts';
import { createLanesTotals, type LanesTotals } from '../../../src/core/lane-totals.ts';
import { OUTCOME_INDEX } from '../../../src/core/outcome.ts';

function ended(stable: number, canary: number): LanesTotals {
  const totals = createLanesTotals();
  totals.stable.outcomes[OUTCOME_INDEX.success] = stable;
  totals.canary.outcomes[OUTCOME_INDEX.failure] = canary;
  return totals;
}

const at = (seconds: number, canary: number): RoutedAt => ({ at: seconds * 1000, stable: 0, canary });

describe('completion', () => {
  test('only counts jobs that are older than stable needs', () => {
    const history = [at(0, 0), at(5, 50), at(9, 90), at(10, 100)];
    expect(completionOf(history, ended(0, 20), 10_000, 5000).canary).toEqual({ due: 50, done: 20 });
    expect(completionOf(history, ended(0, 20), 10_000, 11_000).canary).toEqual({ due: 0, done: 0 });
  });

  test('younger jobs that have ended never make more done than due', () => {
    expect(completionOf([at(0, 10), at(10, 100)], ended(0, 70), 10_000, 5000).canary).toEqual({
      due: 10,
      done: 10,
    });
  });

  test('knows nothing while it is not known what stable needs', () => {
    expect(completionOf([at(0, 10), at(10, 100)], ended(0, 0), 10_000, null).canary).toEqual({
      due: 0,
      done: 0,
    });
  });

  test('its history stays short, and still answers to within a sixtieth of the patience', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2000 }),
        fc.integer({ min: 100, max: 900_000 }),
        (looks, patience) => {
          let history: readonly RoutedAt[] = [];
          for (let i = 0; i < looks; i++) history = extended(history, at(i, i), patience);
          expect(history.length).toBeLessThanOrEqual(130);
          const now = (looks - 1) * 1000;
          const wanted = Math.floor((now - patience) / 1000);
          const found = completionOf(history, ended(0, 0), now, patience).canary.due;
          expect(found).toBeLessThanOrEqual(Math.max(0, wanted));
          expect(found).toBeGreaterThanOrEqual(
            Math.max(0, wanted) - (2 + patience / 60_000) * (wanted > 0 ? 1 : 0),
          );
        },
      ),
    );
  });
});
