import { stepMs, type Deployment } from '../../src/core/deployment.ts';
import type { LanesTotals } from '../../src/core/lane-totals.ts';
import { BUCKET_MS, type TelemetryStore } from '../../src/runtime/store/telemetry-store.ts';

/**
 * What became of the jobs in a deployment's metrics window, but not from before its current percentage: a step changes
 * the mix of jobs. A window moves by whole buckets, so between two of them the last reading does; the readings of many
 * deployments are spread over that time, since one costs about as much as all the rest of a look.
 */
export interface Windows {
  /**
   * @param step the totals of the deployment's step
   * @param isFresh whether the last reading is not good enough
   */
  read(deployment: Deployment, step: LanesTotals, now: number, isFresh: boolean): Promise<LanesTotals>;
  /** Forgets the others. */
  keepOnly(ids: ReadonlySet<string>): void;
}

export function createWindows(store: Pick<TelemetryStore, 'readTelemetry'>, random: () => number): Windows {
  const readings = new Map<string, { readonly at: number; readonly lanes: LanesTotals }>();
  return {
    async read(deployment, step, now, isFresh) {
      const { id, config } = deployment;
      if (stepMs(deployment, now) < config.metricsWindowMs) return step;
      const last = readings.get(id);
      if (last !== undefined && !isFresh && now - last.at < BUCKET_MS) return last.lanes;
      const lanes = await store.readTelemetry(id, config.metricsWindowMs);
      // The first one is taken for older than it is, so that not all are due again at once.
      readings.set(id, { at: last === undefined ? now - random() * BUCKET_MS : now, lanes });
      return lanes;
    },
    keepOnly(ids) {
      for (const id of readings.keys()) if (!ids.has(id)) readings.delete(id);
    },
  };
}
