import type { DeploymentStatus } from './deployment.ts';
import { LanewiseError } from './errors.ts';

/**
 *     active ⇄ paused
 *     active → promoting → completed
 *     active | paused | promoting → rolling_back → failed
 *
 * `finish` is the end of whatever promotion or rollback still had to do (draining a lane, say). What the table does
 * not name is refused.
 */
export const DEPLOYMENT_ACTIONS = [
  'set_percentage',
  'pause',
  'resume',
  'promote',
  'roll_back',
  'finish',
] as const;
export type DeploymentAction = (typeof DEPLOYMENT_ACTIONS)[number];

const TRANSITIONS: Readonly<
  Record<DeploymentStatus, Readonly<Partial<Record<DeploymentAction, DeploymentStatus>>>>
> = {
  active: { set_percentage: 'active', pause: 'paused', promote: 'promoting', roll_back: 'rolling_back' },
  paused: { resume: 'active', roll_back: 'rolling_back' },
  promoting: { finish: 'completed', roll_back: 'rolling_back' },
  rolling_back: { finish: 'failed' },
  completed: {},
  failed: {},
};

const IN_WORDS: Readonly<Record<DeploymentAction, string>> = {
  set_percentage: 'change the percentage of',
  pause: 'pause',
  resume: 'resume',
  promote: 'promote',
  roll_back: 'roll back',
  finish: 'finish',
};

export function isEnded(status: DeploymentStatus): boolean {
  return status === 'completed' || status === 'failed';
}

/** Decided, but jobs may still lie in the lane that was given up. */
export function isDraining(status: DeploymentStatus): boolean {
  return status === 'promoting' || status === 'rolling_back';
}

/** @throws LanewiseError DEPLOYMENT_NOT_ACTIVE when the state does not allow the action. */
export function nextStatus(status: DeploymentStatus, action: DeploymentAction): DeploymentStatus {
  const next = TRANSITIONS[status][action];
  if (next !== undefined) return next;
  const allowed = Object.keys(TRANSITIONS[status]).filter((a) => a !== 'finish');
  throw new LanewiseError(
    'DEPLOYMENT_NOT_ACTIVE',
    `Cannot ${IN_WORDS[action]} a deployment that is ${status}`,
    {
      details: {
        status: isEnded(status)
          ? `${status} deployments have ended; nothing more can be done to them but delete`
          : `${status} allows ${allowed.length > 0 ? allowed.join(', ') : 'nothing until it has finished'}`,
      },
    },
  );
}
