import { describe, expect, test } from 'vitest';
import { defaultStages, nextStage, stageDurationMs, withStages } from '../../src/core/stages.ts';
import { deploymentOf } from './fixtures.ts';

const STAGES = [
  { percentage: 10, durationMs: 1000 },
  { percentage: 50, durationMs: 2000 },
];

describe('the stages of an automatic promotion', () => {
  test('are 5 %, 25 %, 50 % and 75 % with equal shares of the minimum duration, if none are given', () => {
    expect(defaultStages(120_000)).toEqual([
      { percentage: 5, durationMs: 30_000 },
      { percentage: 25, durationMs: 30_000 },
      { percentage: 50, durationMs: 30_000 },
      { percentage: 75, durationMs: 30_000 },
    ]);
  });

  test('are only there where it promotes automatically', () => {
    const { config } = deploymentOf();
    expect(withStages({ ...config, stages: STAGES }).stages).toEqual([]);
    expect(withStages({ ...config, autoPromotion: true, stages: STAGES }).stages).toEqual(STAGES);
    expect(withStages({ ...config, autoPromotion: true, minCanaryDurationMs: 4 }).stages).toEqual(
      defaultStages(4),
    );
  });

  test.each([
    [0, 10],
    [9.99, 10],
    [10, 50],
    [30, 50],
    [50, undefined],
    [100, undefined],
  ])('after %d %% comes %s %%', (percentage, next) => {
    expect(nextStage(STAGES, percentage)?.percentage).toBe(next);
  });

  test.each([
    [5, 1000],
    [10, 1000],
    [30, 1000],
    [50, 2000],
    [80, 2000],
  ])('at %d %% it must go well for %d ms', (percentage, ms) => {
    expect(stageDurationMs(STAGES, percentage)).toBe(ms);
  });

  test('without stages nothing is waited for', () => {
    expect(stageDurationMs([], 50)).toBe(0);
  });
});
