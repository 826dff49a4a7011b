import type { DeploymentEvent } from '../../core/deployment.ts';
import type { Judgement } from '../../core/judge/judgement.ts';
import type { LanesTotals } from '../../core/lane-totals.ts';
import type { Notice } from './outbox-store.ts';

/**
 * What the judge needs: its lease, what became of the jobs of a step, and what it has made of that so far. The lease
 * runs by the store's clock.
 */
export interface JudgeStore {
  /**
   * Takes the judge's lease for `ttlMs`, or extends it where `holder` has it.
   * @returns its fence, a number that is higher with each new holder and the same for as long as one holds it without
   *   a break; undefined while somebody else has it
   */
  claimJudgeLease(holder: string, ttlMs: number): Promise<number | undefined>;
  /** Somebody else may take it at once. Harmless if it is not held. */
  releaseJudgeLease(holder: string): Promise<void>;
  /** All that became of the jobs that were dispatched in a step of a deployment, and when that was read. */
  readStep(deploymentId: string, step: number): Promise<StepTotals>;
  readJudgement(deploymentId: string): Promise<Judgement | undefined>;
  /**
   * Keeps a judgement and the events that come of it, in one step. Goes with its deployment.
   * @returns false, with nothing stored, if the lease has another fence or has run out, or the deployment is gone
   */
  saveJudgement(saving: JudgementSaving): Promise<boolean>;
}

export interface StepTotals {
  readonly lanes: LanesTotals;
  /** Milliseconds since the epoch, by the store's clock. */
  readonly at: number;
}

export interface JudgementSaving {
  readonly deploymentId: string;
  readonly judgement: Judgement;
  readonly fence: number;
  readonly events: readonly DeploymentEvent[];
  readonly notices: readonly Notice[];
}
