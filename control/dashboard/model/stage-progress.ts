import type { Deployment, DeploymentEvent } from '../../../src/client/api-types.ts';
import { parseDuration } from '../../../src/core/duration.ts';
import { nextStage, stageDurationMs } from '../../../src/core/stages.ts';

/** How far a deployment has come through its stages, by its events: time that was spent paused does not count. */
export interface StageProgress {
  /** Since it began. */
  readonly activeMs: number;
  /** At the present percentage. */
  readonly stepMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** Undefined where nobody promotes it automatically. */
  readonly stage: Stage | undefined;
}

export interface Stage {
  /** From 1; 0 before the first. */
  readonly number: number;
  readonly of: number;
  /** 100 after the last one. */
  readonly nextPercentage: number;
  /** Of the time that it must go well, 0 to 1. */
  readonly fraction: number;
  readonly leftMs: number;
}

type Progressing = Pick<Deployment, 'status' | 'start_time' | 'current_percent' | 'completed_at' | 'config'>;
type Told = Pick<DeploymentEvent, 'type' | 'timestamp'>;

/** @param events in any order */
export function stageProgress(deployment: Progressing, events: readonly Told[], now: number): StageProgress {
  const { config, current_percent } = deployment;
  const end = deployment.completed_at === undefined ? now : Date.parse(deployment.completed_at);
  const started = Date.parse(deployment.start_time);
  const steps = events.filter(({ type }) => type === 'percentage_updated');
  const stepFrom = Math.max(started, ...steps.map(({ timestamp }) => Date.parse(timestamp)));
  const stepMs = activeTime(events, stepFrom, end);
  const activeMs = activeTime(events, started, end);
  const minMs = parseDuration(config.min_canary_duration) ?? 0;
  return {
    activeMs,
    stepMs,
    minMs,
    maxMs: parseDuration(config.max_canary_duration) ?? 0,
    stage: config.auto_promotion ? stageOf(config, current_percent, stepMs, minMs - activeMs) : undefined,
  };
}

function stageOf(
  { stages: given = [] }: Deployment['config'],
  percentage: number,
  stepMs: number,
  untilMinMs: number,
): Stage {
  const stages = given.map((stage) => ({
    percentage: stage.percentage,
    durationMs: parseDuration(stage.duration) ?? 0,
  }));
  const durationMs = stageDurationMs(stages, percentage);
  const next = nextStage(stages, percentage);
  const inStage = Math.max(0, durationMs - stepMs);
  // The last one also waits until the whole has lasted for long enough.
  const leftMs = next === undefined ? Math.max(inStage, untilMinMs) : inStage;
  return {
    number: stages.filter((stage) => stage.percentage <= percentage).length,
    of: stages.length,
    nextPercentage: next?.percentage ?? 100,
    fraction: leftMs === 0 ? 1 : stepMs / (stepMs + leftMs),
    leftMs,
  };
}

/** Milliseconds between the two that it was not paused in. */
export function activeTime(events: readonly Told[], from: number, to: number): number {
  const changes = events
    .filter(({ type }) => type === 'deployment_paused' || type === 'deployment_resumed')
    .map(({ type, timestamp }) => ({ isPause: type === 'deployment_paused', at: Date.parse(timestamp) }))
    .toSorted((a, b) => a.at - b.at);
  let active = 0;
  let since: number | undefined = from;
  for (const { isPause, at: changedAt } of changes) {
    const at = Math.min(Math.max(changedAt, from), to);
    if (isPause && since !== undefined) {
      active += at - since;
      since = undefined;
    } else if (!isPause) {
      since ??= at;
    }
  }
  return since === undefined ? active : active + Math.max(0, to - since);
}
