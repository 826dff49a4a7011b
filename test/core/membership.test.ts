import { describe, expect, test } from 'vitest';
import { LANES } from '../../src/core/lane.ts';
import { membershipOf } from '../../src/core/membership.ts';
import { openSplit, promoted, rolledBack, type Route } from '../../src/core/route.ts';
import { deploymentOf, workerOf } from './fixtures.ts';

const OPEN = openSplit(undefined, deploymentOf({ stableVersion: 'v1', canaryVersion: 'v2' }));

function membershipsIn(route: Route | undefined, version: string): string[] {
  return LANES.map((lane) => membershipOf(workerOf('w', { version, lane }), route));
}

describe('a worker, whichever lane it registered with,', () => {
  test('is canary if its version is the canary version of the open deployment', () => {
    expect(membershipsIn(OPEN, 'v2')).toEqual(['canary', 'canary']);
  });

  test('is stable if its version is the stable version', () => {
    expect(membershipsIn(OPEN, 'v1')).toEqual(['stable', 'stable']);
  });

  test('is stable once its version is promoted, and in reserve once its version was replaced', () => {
    expect(membershipsIn(promoted(OPEN), 'v2')).toEqual(['stable', 'stable']);
    expect(membershipsIn(promoted(OPEN), 'v1')).toEqual(['reserve', 'reserve']);
  });

  test('is nowhere once its version was rolled back', () => {
    expect(membershipsIn(rolledBack(OPEN), 'v2')).toEqual(['none', 'none']);
    expect(membershipsIn(rolledBack(OPEN), 'v1')).toEqual(['stable', 'stable']);
  });
});

describe('a worker falls back on the lane it registered with', () => {
  test('if no decision has named its version', () => {
    expect(membershipsIn(OPEN, 'v9')).toEqual(['stable', 'canary']);
    expect(membershipsIn(promoted(OPEN), 'v9')).toEqual(['stable', 'canary']);
  });

  test('on a queue that never had a deployment', () => {
    expect(membershipsIn(undefined, 'v1')).toEqual(['stable', 'canary']);
  });
});
