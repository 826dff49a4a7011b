import type { RollbackThresholds } from '../../../src/core/deployment.ts';
import { errorCount } from '../../../src/core/lane-totals.ts';
import { randomOf } from '../../core/fixtures.ts';
import { TICK_MS, ticksOf, type Scene } from './fleet.ts';
import { createRule, deploymentOf, type ProfileName, type RuleName } from './rules.ts';

/** Many canaries of one kind under one rule. */
export interface Trial {
  readonly profile: ProfileName;
  readonly thresholds?: Partial<RollbackThresholds>;
  readonly scene: Scene;
  /** Seconds that each is looked at, unless it is rolled back. */
  readonly ticks: number;
  readonly runs: number;
}

export interface TrialResult {
  readonly runs: number;
  readonly rolledBack: number;
  /** Of those that were rolled back; null where none was. */
  readonly medianSeconds: number | null;
  readonly medianJobs: number | null;
  /** Jobs that failed on the canary until then. */
  readonly medianFailed: number | null;
}

export function runTrial(rule: RuleName, { profile, thresholds, scene, ticks, runs }: Trial): TrialResult {
  const ends = [];
  for (let run = 0; run < runs; run++) {
    const random = randomOf(1 + run * 7919);
    const judge = createRule(rule, deploymentOf(profile, 100 * scene.split, thresholds), random);
    for (const tick of ticksOf(scene, ticks, random)) {
      if (!judge(tick)) continue;
      const { canary } = tick.totals;
      ends.push({
        seconds: (tick.at / TICK_MS) * (TICK_MS / 1000),
        jobs: canary.routed,
        failed: errorCount(canary),
      });
      break;
    }
  }
  return {
    runs,
    rolledBack: ends.length,
    medianSeconds: median(ends.map((end) => end.seconds)),
    medianJobs: median(ends.map((end) => end.jobs)),
    medianFailed: median(ends.map((end) => end.failed)),
  };
}

function median(values: readonly number[]): number | null {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? null;
}
