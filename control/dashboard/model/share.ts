import type { Deployment, DeploymentMetrics, HealthEvidence } from '../../../src/client/api-types.ts';
import { parseDuration } from '../../../src/core/duration.ts';
import { span } from './format.ts';

/** What part of the jobs the canary really got. */
export interface ActualShare {
  /** 0 to 100, one decimal. */
  readonly percent: number;
  /** `actual`, and over what if that reaches back to another percentage. */
  readonly name: string;
}

/**
 * Best from the jobs that were sent at the present percentage, which the judge counts; else from the metrics window,
 * which may hold jobs of an earlier percentage too. Undefined where no job has run.
 */
export function actualShare(
  deployment: Pick<Deployment, 'config' | 'last_update'>,
  { stable, canary }: DeploymentMetrics,
  evidence: Pick<HealthEvidence, 'canary_jobs' | 'stable_jobs'> | undefined,
): ActualShare | undefined {
  if (evidence !== undefined && evidence.canary_jobs + evidence.stable_jobs > 0) {
    return { percent: part(evidence.canary_jobs, evidence.stable_jobs), name: 'actual' };
  }
  if (canary.job_count + stable.job_count === 0) return undefined;
  const isMixed = Date.parse(deployment.last_update) > Date.parse(canary.window_start);
  const window = span(parseDuration(deployment.config.metrics_window ?? '') ?? 0);
  return {
    percent: part(canary.job_count, stable.job_count),
    name: isMixed ? `actual in ${window}` : 'actual',
  };
}

function part(canary: number, stable: number): number {
  return Math.round((1000 * canary) / (canary + stable)) / 10;
}
