import { describe, expect, test } from 'vitest';
import { DEPLOYMENT_STATUSES, type DeploymentStatus } from '../../src/core/deployment.ts';
import {
  DEPLOYMENT_ACTIONS,
  isEnded,
  nextStatus,
  type DeploymentAction,
} from '../../src/core/deployment-states.ts';
import { LanewiseError } from '../../src/core/errors.ts';

/** The whole table, one row a status; `null` is refused. */
const TABLE: Record<DeploymentStatus, Record<DeploymentAction, DeploymentStatus | null>> = {
  active: {
    set_percentage: 'active',
    pause: 'paused',
    resume: null,
    promote: 'promoting',
    roll_back: 'rolling_back',
    finish: null,
  },
  paused: {
    set_percentage: null,
    pause: null,
    resume: 'active',
    promote: null,
    roll_back: 'rolling_back',
    finish: null,
  },
  promoting: {
    set_percentage: null,
    pause: null,
    resume: null,
    promote: null,
    roll_back: 'rolling_back',
    finish: 'completed',
  },
  rolling_back: {
    set_percentage: null,
    pause: null,
    resume: null,
    promote: null,
    roll_back: null,
    finish: 'failed',
  },
  completed: {
    set_percentage: null,
    pause: null,
    resume: null,
    promote: null,
    roll_back: null,
    finish: null,
  },
  failed: {
    set_percentage: null,
    pause: null,
    resume: null,
    promote: null,
    roll_back: null,
    finish: null,
  },
};

function refusalOf(status: DeploymentStatus, action: DeploymentAction): LanewiseError {
  try {
    nextStatus(status, action);
  } catch (error) {
    if (error instanceof LanewiseError) return error;
  }
  throw new Error(`${status} allows ${action}`);
}

const PAIRS = DEPLOYMENT_STATUSES.flatMap((status) =>
  DEPLOYMENT_ACTIONS.map((action) => ({ status, action, next: TABLE[status][action] })),
);

describe('a deployment', () => {
  test.each(PAIRS.filter(({ next }) => next !== null))(
    'that is $status is $next after $action',
    ({ status, action, next }) => expect(nextStatus(status, action)).toBe(next),
  );

  test.each(PAIRS.filter(({ next }) => next === null))(
    'that is $status refuses $action',
    ({ status, action }) => {
      const error = refusalOf(status, action);
      expect(error.code).toBe('DEPLOYMENT_NOT_ACTIVE');
      expect(error.status).toBe(400);
      expect(error.message).toContain(status);
      expect(error.details.status).toContain(status);
    },
  );

  test('has ended once it is completed or failed, and only then', () => {
    expect(DEPLOYMENT_STATUSES.filter(isEnded)).toEqual(['completed', 'failed']);
  });

  test('can still reach an end from every status that is not one', () => {
    const reachable = (from: DeploymentStatus): Set<DeploymentStatus> => {
      const found = new Set<DeploymentStatus>([from]);
      // A set grows while it is walked.
      for (const status of found) {
        for (const next of Object.values(TABLE[status])) if (next !== null) found.add(next);
      }
      return found;
    };
    for (const status of DEPLOYMENT_STATUSES.filter((s) => !isEnded(s))) {
      expect([...reachable(status)].some(isEnded)).toBe(true);
    }
  });
});

describe('a refusal says what is allowed instead', () => {
  test.each<[DeploymentStatus, DeploymentAction, string, string]>([
    [
      'paused',
      'set_percentage',
      'Cannot change the percentage of a deployment that is paused',
      'paused allows resume, roll_back',
    ],
    ['promoting', 'pause', 'Cannot pause a deployment that is promoting', 'promoting allows roll_back'],
    [
      'rolling_back',
      'roll_back',
      'Cannot roll back a deployment that is rolling_back',
      'rolling_back allows nothing until it has finished',
    ],
    [
      'completed',
      'promote',
      'Cannot promote a deployment that is completed',
      'completed deployments have ended; nothing more can be done to them but delete',
    ],
  ])('%s, %s', (status, action, message, detail) => {
    const error = refusalOf(status, action);
    expect(error.message).toBe(message);
    expect(error.details).toEqual({ status: detail });
  });
});
