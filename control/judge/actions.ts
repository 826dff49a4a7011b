import { LanewiseError } from '../../src/core/errors.ts';
import type { Deployment } from '../../src/core/deployment.ts';
import type { Action } from '../../src/core/judge/next-action.ts';
import type { Logger } from '../../src/runtime/log.ts';
import type { Credential } from '../credentials.ts';
import { promoteAutomatically, rollBack, setPercentage, type Decide } from '../deployment-changes.ts';
import type { DeploymentService } from '../deployments.ts';
import type { JudgeLease } from './lease.ts';

/** Something that the judge does to a deployment. */
export type Step = Exclude<Action, { kind: 'none' }>;

/** Who the events say it was. */
export const JUDGE: Credential = { name: 'judge', role: 'admin' };

/** What was decided, on what. */
export interface Decision {
  readonly judged: Deployment;
  readonly step: Step;
  /** Goes along with the event; see `explain`. */
  readonly explanation: Readonly<Record<string, unknown>>;
  /** Of the lease under which it was decided. */
  readonly fence: number;
}

interface ActionDeps {
  readonly deployments: Pick<DeploymentService, 'change'>;
  readonly lease: Pick<JudgeLease, 'fence'>;
  readonly log: Logger;
}

/** Does it, if that is still what was judged. Never rejects: at the next tick the deployment is judged anew. */
export async function carryOut(decision: Decision, { deployments, lease, log }: ActionDeps): Promise<void> {
  const { judged, step, explanation, fence } = decision;
  let isTried = false;
  const check = (current: Deployment): void => {
    // Somebody else was quicker, or the right to judge has passed on.
    if (current.version !== judged.version || lease.fence() !== fence) throw new Outdated();
    // What the store refuses with the record as it was stays refused: the fence is not ours, or the route has gone.
    if (isTried) throw new Outdated();
    isTried = true;
  };
  try {
    await deployments.change(judged.id, decideOf(step, explanation), JUDGE, { check, fence });
  } catch (error) {
    if (error instanceof Outdated) log.debug({ deployment: judged.id, step: step.kind }, error.message);
    else note(log, judged, error, 'the judge could not act; it tries again');
  }
}

function decideOf(step: Step, explanation: Readonly<Record<string, unknown>>): Decide {
  switch (step.kind) {
    case 'roll_back':
      return rollBack(step.reason, { automatic: true, cause: step.cause, ...explanation });
    case 'advance':
      return setPercentage(step.percentage, {
        automatic: true,
        stage: step.stage,
        stages: step.stages,
        ...explanation,
      });
    case 'promote':
      return promoteAutomatically(step.message, explanation);
    default:
      return step satisfies never;
  }
}

class Outdated extends Error {
  constructor() {
    super('what the judge decided no longer holds');
  }
}

/** An outage shows elsewhere, and would show here once for each deployment. */
export function note(log: Logger, { id }: Pick<Deployment, 'id'>, error: unknown, message: string): void {
  log[isOutage(error) ? 'debug' : 'warn']({ err: error, deployment: id }, message);
}

export function isOutage(error: unknown): boolean {
  return error instanceof LanewiseError && error.code === 'STORE_UNAVAILABLE';
}
