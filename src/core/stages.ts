import type { DeploymentConfig, Stage } from './deployment.ts';

/**
 * The stages of an automatic promotion. Where a deployment stands among them is told by its percentage alone, so that
 * somebody may move it by hand and the promotion goes on from there.
 */

/** Most of what a canary can break shows at 5 %; each stage after that risks a few times more. */
const DEFAULT_PERCENTAGES = [5, 25, 50, 75];

export function defaultStages(minCanaryDurationMs: number): readonly Stage[] {
  const durationMs = Math.floor(minCanaryDurationMs / DEFAULT_PERCENTAGES.length);
  return DEFAULT_PERCENTAGES.map((percentage) => ({ percentage, durationMs }));
}

/** The configuration with the stages that it implies: none without automatic promotion, else at least the default. */
export function withStages(config: DeploymentConfig): DeploymentConfig {
  if (!config.autoPromotion) return { ...config, stages: [] };
  if (config.stages.length > 0) return config;
  return { ...config, stages: defaultStages(config.minCanaryDurationMs) };
}

/** The one to go to from a percentage; undefined after the last: then it is to be promoted. */
export function nextStage(stages: readonly Stage[], percentage: number): Stage | undefined {
  return stages.find((stage) => stage.percentage > percentage);
}

/** How long a percentage must go well: as long as the stage that it has reached, or else the first. */
export function stageDurationMs(stages: readonly Stage[], percentage: number): number {
  const reached = stages.findLast((stage) => stage.percentage <= percentage) ?? stages[0];
  return reached?.durationMs ?? 0;
}
