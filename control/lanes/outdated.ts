import type { Deployment } from '../../src/core/deployment.ts';
import type { Credential } from '../credentials.ts';
import type { Conditions } from '../deployments.ts';
import type { JudgeLease } from '../judge/lease.ts';

/** Who the events of lanes say it was. */
export const DRAINER: Credential = { name: 'drainer', role: 'admin' };

/** Somebody else was quicker, or the right to act has passed on. */
export class Outdated extends Error {
  constructor() {
    super('what was found in a lane no longer matters');
  }
}

/** Changes under a lease: it must be held, and what the store refuses with a record as it was stays refused. */
export function underLease(lease: Pick<JudgeLease, 'fence'>, fence: number): Conditions {
  let tried: number | undefined;
  const check = ({ version }: Deployment): void => {
    if (lease.fence() !== fence || version === tried) throw new Outdated();
    tried = version;
  };
  return { check, fence };
}
