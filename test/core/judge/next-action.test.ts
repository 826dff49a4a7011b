import { describe, expect, test } from 'vitest';
import type { Deployment, DeploymentConfig } from '../../../src/core/deployment.ts';
import type { HealthReport, HealthStatus } from '../../../src/core/health.ts';
import { nextAction } from '../../../src/core/judge/next-action.ts';
import { deploymentOf } from '../fixtures.ts';

const MINUTE = 60_000;

function automatic(over: Partial<Deployment> = {}, config: Partial<DeploymentConfig> = {}): Deployment {
  const base = deploymentOf({ currentPercent: 10, ...over });
  const stages = [
    { percentage: 10, durationMs: MINUTE },
    { percentage: 50, durationMs: 2 * MINUTE },
  ];
  return {
    ...base,
    config: {
      ...base.config,
      autoPromotion: true,
      stages,
      minCanaryDurationMs: 4 * MINUTE,
      maxCanaryDurationMs: 10 * MINUTE,
      ...config,
    },
  };
}

function report(overallStatus: HealthStatus, durationPasses = true): HealthReport {
  const check = { name: 'x', passing: true, message: 'fine' };
  return {
    overallStatus,
    errorRate: check,
    latency: check,
    throughput: check,
    sampleSize: check,
    duration: { ...check, passing: durationPasses },
    causes: overallStatus === 'failing' ? [{ criterion: 'latency', message: 'too slow' }] : [],
  };
}

const kind = (deployment: Deployment, health: HealthReport, now: number): string =>
  nextAction(deployment, health, now).kind;

describe('the next action', () => {
  test('a failing canary is rolled back, with the reason', () => {
    expect(nextAction(automatic(), report('failing'), 0)).toEqual({
      kind: 'roll_back',
      reason: 'too slow',
      cause: 'latency',
    });
  });

  test('not where nobody wants that', () => {
    expect(kind(automatic({}, { autoRollback: false }), report('failing'), 0)).toBe('none');
  });

  test.each(['warning', 'unknown'] as const)('%s holds, until it has taken too long', (status) => {
    expect(kind(automatic(), report(status), 9 * MINUTE)).toBe('none');
    expect(nextAction(automatic(), report(status), 10 * MINUTE)).toMatchObject({
      kind: 'roll_back',
      cause: 'max_duration',
      reason: 'Max duration: not promoted within 10m0s',
    });
  });

  test('a healthy one goes on when its stage has lasted its time', () => {
    expect(kind(automatic(), report('healthy', false), MINUTE - 1)).toBe('none');
    expect(nextAction(automatic(), report('healthy', false), MINUTE)).toEqual({
      kind: 'advance',
      percentage: 50,
      stage: 2,
      stages: 2,
    });
  });

  test('after the last stage it is promoted, when it has lasted long enough as a whole', () => {
    const last = automatic({ currentPercent: 50, stepFrom: MINUTE });
    expect(kind(last, report('healthy', false), 3 * MINUTE)).toBe('none');
    expect(kind(last, report('healthy'), 3 * MINUTE - 1)).toBe('none');
    expect(nextAction(last, report('healthy'), 4 * MINUTE)).toEqual({
      kind: 'promote',
      message: 'Automatic promotion: fine, all checks pass',
    });
  });

  test('a promotion that is due goes before the end of its time', () => {
    const last = automatic({ currentPercent: 50 });
    expect(kind(last, report('healthy'), 10 * MINUTE)).toBe('promote');
  });

  test('without automatic promotion it waits for somebody, and not for ever', () => {
    const manual = automatic({}, { autoPromotion: false, stages: [] });
    expect(kind(manual, report('healthy'), 9 * MINUTE)).toBe('none');
    expect(kind(manual, report('healthy'), 10 * MINUTE)).toBe('roll_back');
  });

  test('at 0 % nothing is known, so it waits', () => {
    expect(kind(automatic({ currentPercent: 0 }), report('healthy'), 9 * MINUTE)).toBe('none');
  });

  test.each(['paused', 'promoting', 'rolling_back', 'completed', 'failed'] as const)(
    '%s: nothing',
    (status) => {
      expect(kind(automatic({ status }), report('failing'), 60 * MINUTE)).toBe('none');
    },
  );

  test('time spent paused counts for neither the stage nor the whole', () => {
    const resumed = automatic({ activeFrom: 20 * MINUTE, stepFrom: 20 * MINUTE });
    expect(kind(resumed, report('healthy', false), 20.5 * MINUTE)).toBe('none');
    expect(kind(resumed, report('unknown'), 29 * MINUTE)).toBe('none');
  });
});
