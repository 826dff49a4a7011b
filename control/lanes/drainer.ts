import type { Clock } from '../../src/core/clock.ts';
import type { Deployment } from '../../src/core/deployment.ts';
import type { Logger } from '../../src/runtime/log.ts';
import type { Store } from '../../src/runtime/store/store.ts';
import type { DeploymentService } from '../deployments.ts';
import type { JudgeLease } from '../judge/lease.ts';
import { isOutage, type Drain } from './drain.ts';
import { afterPass } from './lane-changes.ts';
import { draining } from './open-deployments.ts';
import { DRAINER, Outdated, underLease } from './outdated.ts';

/**
 * Ends what a promotion or rollback could not end in its own call: at each tick it looks after every deployment that is
 * promoting or rolling back, on the instance that holds the judge's lease. All it knows is in the store, so the next
 * holder goes on where this one stopped. Moves are counted in the deployment's record after they were made: of those
 * that a killed process made last, some are missing from the count, never from the lanes.
 */
export interface Drainer {
  /**
   * Turn by turn, until nothing more can be moved at the moment.
   * @throws LanewiseError if the deployments cannot be listed
   */
  tick(): Promise<void>;
}

export interface DrainerOptions {
  readonly store: Pick<Store, 'listDeployments'>;
  readonly drain: Drain;
  readonly deployments: Pick<DeploymentService, 'change'>;
  readonly lease: Pick<JudgeLease, 'fence'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Then the next deployment has its turn. About a second's work. */
const CHUNKS_A_LOOK = 64;

/** The call that decided it makes the first pass itself; beside it, a finish could come before its moves are counted. */
const FIRST_PASS_MS = 1000;

export function createDrainer({ store, drain, deployments, lease, clock, log }: DrainerOptions): Drainer {
  /** @returns whether to look again at once */
  const look = async (deployment: Deployment, fence: number): Promise<boolean> => {
    try {
      const { moved, verdict, hasMore } = await drain.look(deployment, CHUNKS_A_LOOK);
      if (moved === 0 && verdict.kind === 'go_on') return false;
      const decide = afterPass(deployment, moved, verdict);
      await deployments.change(deployment.id, decide, DRAINER, underLease(lease, fence));
      return hasMore && verdict.kind === 'go_on';
    } catch (error) {
      const isExpected = error instanceof Outdated || isOutage(error);
      const message = 'a canary lane is drained later';
      log[isExpected ? 'debug' : 'warn']({ err: error, deployment: deployment.id }, message);
      return false;
    }
  };

  return {
    async tick() {
      const fence = lease.fence();
      for (let goesOn = fence !== undefined; goesOn;) {
        goesOn = false;
        for (const deployment of await draining(store)) {
          if (fence === undefined || lease.fence() !== fence) return;
          if (isInFirstPass(deployment, clock.now())) continue;
          if (await look(deployment, fence)) goesOn = true;
        }
      }
    },
  };
}

/** Another instance's clock may run ahead of ours; then it isn't waited for. */
function isInFirstPass({ drain }: Deployment, now: number): boolean {
  const age = now - (drain?.since ?? 0);
  return age >= 0 && age < FIRST_PASS_MS;
}
