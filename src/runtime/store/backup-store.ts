import type { Deployment, DeploymentEvent } from '../../core/deployment.ts';
import type { Route } from '../../core/route.ts';
import type { Worker } from '../../core/worker.ts';

/** What an installation can be made from again. Telemetry, judgements and queued jobs are not in it. */
export interface Backup {
  /** Of the routing; routes carry revisions up to this one. */
  readonly revision: number;
  /** In the order of their creation. */
  readonly deployments: readonly BackedUpDeployment[];
  readonly routes: readonly Route[];
  readonly workers: readonly Worker[];
}

export interface BackedUpDeployment {
  readonly deployment: Deployment;
  /** Newest first. */
  readonly events: readonly DeploymentEvent[];
}

export interface BackupStore {
  /**
   * Stores all of it in one step, under a revision above that of the backup and of the store.
   * @returns false, and nothing is changed, if the store has a deployment, a route or a worker.
   */
  restore(backup: Backup): Promise<boolean>;
  /** What lists and snapshots were given without, by now: name and reason of each damaged record. */
  damagedRecords(): readonly string[];
}
