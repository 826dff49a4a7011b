import type { DeploymentMetrics } from '../../../src/client/api-types.ts';

/** Percent of the jobs in the window that the canary ran; null where none has run. */
export function actualShare({ stable, canary }: DeploymentMetrics): number | null {
  const all = stable.job_count + canary.job_count;
  return all === 0 ? null : (100 * canary.job_count) / all;
}
