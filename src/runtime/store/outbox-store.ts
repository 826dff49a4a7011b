import type { DeploymentEvent } from '../../core/deployment.ts';

/**
 * What webhooks are still to be told (the transactional outbox): a notice is stored in the same step as the event that
 * it tells of, and stays until it is delivered or given up. Any instance of the control plane may deliver it; by the
 * store's clock. Beyond `NOTICES_MAX` the oldest go, so that a receiver that is gone for good does not fill the store;
 * one that can't be read is dropped when its turn comes. A notice whose id is already there is not stored again.
 */
export interface OutboxStore {
  /**
   * Notices that are due, the longest due first. Nobody else is given them for `leaseMs`; who has delivered one
   * settles it, who could not postpones it, and who dies in between leaves it to the others.
   */
  takeNotices(limit: number, leaseMs: number): Promise<readonly TakenNotice[]>;
  /** It is delivered, or given up. Harmless if it is gone. */
  settleNotice(id: string): Promise<void>;
  /** It is due again in `delayMs`. Harmless if it is gone. */
  postponeNotice(id: string, delayMs: number): Promise<void>;
}

/** Some 50 MB. */
export const NOTICES_MAX = 100_000;

export interface Notice {
  /** Unique: of the event and the webhook. */
  readonly id: string;
  /** The name of the webhook in the configuration. */
  readonly webhook: string;
  readonly event: DeploymentEvent;
}

export interface TakenNotice extends Notice {
  /** How often it was taken, this time included. */
  readonly attempt: number;
}
