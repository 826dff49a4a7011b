import { activeMs, stepMs, type Deployment } from '../deployment.ts';
import { formatDuration } from '../duration.ts';
import type { HealthReport } from '../health.ts';
import { nextStage, stageDurationMs } from '../stages.ts';
import type { Criterion } from './evidence.ts';

/** What is to be done about a deployment, now. */
export type Action =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'advance';
      readonly percentage: number;
      /** From 1. */
      readonly stage: number;
      readonly stages: number;
    }
  | { readonly kind: 'promote'; readonly message: string }
  | { readonly kind: 'roll_back'; readonly reason: string; readonly cause: RollbackCause };

export type RollbackCause = Criterion | 'max_duration';

const NONE: Action = { kind: 'none' };

/**
 * In this order, since it must not depend on anything else whether a bad version goes: roll back what fails, move on
 * what goes well, end what takes too long. A paused deployment holds.
 *
 * A stage is over when it has lasted its time and everything is well in it. The duration check is left to the last
 * one: it is about the whole, and a first stage that waited for it would leave no time for the others.
 */
export function nextAction(deployment: Deployment, health: HealthReport, now: number): Action {
  if (deployment.status !== 'active') return NONE;
  const { autoRollback, maxCanaryDurationMs } = deployment.config;
  const [cause] = health.causes;
  if (autoRollback && cause !== undefined) {
    return { kind: 'roll_back', reason: cause.message, cause: cause.criterion };
  }
  const step = nextStep(deployment, health, now);
  if (step.kind !== 'none') return step;
  if (activeMs(deployment, now) >= maxCanaryDurationMs) {
    const reason = `Max duration: not promoted within ${formatDuration(maxCanaryDurationMs)}`;
    return { kind: 'roll_back', reason, cause: 'max_duration' };
  }
  return NONE;
}

function nextStep(deployment: Deployment, health: HealthReport, now: number): Action {
  const { autoPromotion, stages } = deployment.config;
  const { currentPercent } = deployment;
  const isWell = health.overallStatus === 'healthy';
  // At 0 % nothing is known: somebody wanted it to wait.
  if (!autoPromotion || !isWell || currentPercent === 0) return NONE;
  if (stepMs(deployment, now) < stageDurationMs(stages, currentPercent)) return NONE;
  const next = nextStage(stages, currentPercent);
  if (next !== undefined) {
    const stage = stages.indexOf(next) + 1;
    return { kind: 'advance', percentage: next.percentage, stage, stages: stages.length };
  }
  if (!health.duration.passing) return NONE;
  return { kind: 'promote', message: `Automatic promotion: ${health.sampleSize.message}, all checks pass` };
}
