import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LANES } from '../../src/core/lane.ts';
import { membershipOf } from '../../src/core/membership.ts';
import {
  effectiveRoute,
  openSplit,
  promoted,
  promotionTakenBack,
  rolledBack,
  scopeKey,
  stampRoute,
  THIS_REVISION,
  withPercentage,
  type Route,
} from '../../src/core/route.ts';
import { deploymentOf, workerOf } from './fixtures.ts';

/** Opens a deployment of `canaryVersion` on what is stable now. */
function open(previous: Route | undefined, canaryVersion: string, stableVersion?: string): Route {
  return openSplit(
    previous,
    deploymentOf({ canaryVersion, stableVersion: stableVersion ?? previous?.stableVersion ?? 'v1' }),
  );
}

/** Where workers of a version are, asserted to be the same for those registered as stable and as canary. */
function placeOf(version: string, route: Route): string {
  const places = LANES.map((lane) => membershipOf(workerOf('w', { version, lane }), route));
  expect(new Set(places).size).toBe(1);
  return places[0]!;
}

describe('openSplit', () => {
  test('carries what the proxies need of the deployment', () => {
    const deployment = deploymentOf({ id: 'canary_7', currentPercent: 12.5, tenant: 'acme' });
    expect(openSplit(undefined, deployment)).toEqual({
      queue: 'q',
      tenant: 'acme',
      revision: THIS_REVISION,
      strategy: 'hash_ring',
      stableVersion: 'v1',
      superseded: [],
      rejected: [],
      split: {
        deploymentId: 'canary_7',
        canaryVersion: 'v2',
        percentage: 12.5,
        step: 1,
        sticky: true,
        fallback: 'stable',
        retryOnStable: false,
        countsKeys: false,
      },
      promotedAt: 0,
      decidedAt: THIS_REVISION,
    });
  });

  test('lifts what was held against the versions that it names', () => {
    const v2Rejected = rolledBack(open(undefined, 'v2'));
    expect(placeOf('v2', open(v2Rejected, 'v2'))).toBe('canary');
    expect(placeOf('v2', open(v2Rejected, 'v3'))).toBe('none');
    const v1Superseded = promoted(open(undefined, 'v2'));
    expect(placeOf('v1', open(v1Superseded, 'v1'))).toBe('canary');
    expect(open(v1Superseded, 'v1').superseded).toEqual([]);
    expect(open(v1Superseded, 'v3').superseded).toEqual(['v1']);
  });
});

function ended(route: Route, end: string, versions: { stableVersion: string; canaryVersion: string }): Route {
  if (end === 'rolled back') return rolledBack(route);
  return end === 'promoted' ? promoted(route) : promotionTakenBack(promoted(route), versions);
}

describe('promotion is safe to forget', () => {
  const v2Promoted = promoted(open(undefined, 'v2'));

  test('after it, the promoted version is the stable one and the old one is only the last resort', () => {
    expect(placeOf('v2', v2Promoted)).toBe('stable');
    expect(placeOf('v1', v2Promoted)).toBe('reserve');
    expect(v2Promoted.split).toBeUndefined();
  });

  test('it stays so while the next deployment is open, promoted, or rolled back', () => {
    const next = open(v2Promoted, 'v3');
    for (const route of [next, withPercentage(next, 50, 2), promoted(next), rolledBack(next)]) {
      expect(placeOf('v1', route)).toBe('reserve');
    }
    expect(placeOf('v2', next)).toBe('stable');
    expect(placeOf('v2', promoted(next))).toBe('reserve');
    expect(placeOf('v2', rolledBack(next))).toBe('stable');
  });

  test('promoting or rolling back once more changes nothing', () => {
    expect(promoted(v2Promoted)).toBe(v2Promoted);
    expect(rolledBack(v2Promoted)).toBe(v2Promoted);
    expect(withPercentage(v2Promoted, 10, 2)).toBe(v2Promoted);
  });

  test('whatever a queue went through, each version is where the last decision that named it put it', () => {
    const release = fc.record({
      canary: fc.constantFrom('v1', 'v2', 'v3', 'v4', 'v5'),
      end: fc.constantFrom('promoted', 'rolled back', 'taken back while it was promoted'),
    });
    fc.assert(
      fc.property(fc.array(release, { minLength: 1, maxLength: 30 }), (releases) => {
        let route: Route | undefined;
        let stable = 'v1';
        const places = new Map<string, string>();
        for (const { canary, end } of releases) {
          if (canary === stable) continue;
          route = open(route, canary);
          places.set(stable, 'stable').set(canary, 'canary');
          for (const [version, place] of places) expect(placeOf(version, route)).toBe(place);

          route = ended(route, end, { stableVersion: stable, canaryVersion: canary });
          if (end === 'promoted') {
            places.set(stable, 'reserve').set(canary, 'stable');
            stable = canary;
          } else {
            places.set(canary, 'none');
          }
          for (const [version, place] of places) expect(placeOf(version, route)).toBe(place);
        }
      }),
    );
  });

  test('the last 64 versions of each kind are remembered, so that a route stays small', () => {
    let route = open(undefined, 'v2');
    for (let release = 2; release <= 200; release++) route = open(promoted(route), `v${release + 1}`);
    expect(route.superseded).toHaveLength(64);
    expect(route.superseded.at(-1)).toBe('v199');
    expect(placeOf('v199', route)).toBe('reserve');
    expect(placeOf('v136', route)).toBe('reserve');
  });
});

describe('rolledBack', () => {
  test('gives the rejected version nothing, and all jobs to the stable one', () => {
    const route = rolledBack(withPercentage(open(undefined, 'v2'), 50, 2));
    expect(placeOf('v2', route)).toBe('none');
    expect(placeOf('v1', route)).toBe('stable');
    expect(route.split).toBeUndefined();
  });

  test('gives it nothing during the next deployment either', () => {
    const next = open(rolledBack(open(undefined, 'v2')), 'v3');
    for (const route of [next, promoted(next), rolledBack(next)]) expect(placeOf('v2', route)).toBe('none');
  });

  test('does not undo an earlier promotion', () => {
    const route = rolledBack(open(promoted(open(undefined, 'v2')), 'v3'));
    expect(placeOf('v2', route)).toBe('stable');
    expect(placeOf('v1', route)).toBe('reserve');
  });
});

describe('withPercentage', () => {
  test('changes the percentage and its step and nothing else', () => {
    const before = stampRoute(open(undefined, 'v2'), 7);
    const after = withPercentage(before, 33.33, 2);
    expect(after).toEqual({
      ...before,
      revision: THIS_REVISION,
      split: { ...before.split!, percentage: 33.33, step: 2 },
    });
    expect(before.split!.percentage).toBe(0);
  });
});

describe('stampRoute', () => {
  test('puts the revision of the change where it stands for this very change, and only there', () => {
    const opened = stampRoute(open(undefined, 'v2'), 7);
    expect(opened).toMatchObject({ revision: 7, promotedAt: 0, decidedAt: 7 });
    const raised = stampRoute(withPercentage(opened, 50, 2), 8);
    expect(raised).toMatchObject({ revision: 8, promotedAt: 0, decidedAt: 7 });
    const done = stampRoute(promoted(raised), 9);
    expect(done).toMatchObject({ revision: 9, promotedAt: 9, decidedAt: 9 });
    const next = stampRoute(open(done, 'v3'), 10);
    expect(next).toMatchObject({ revision: 10, promotedAt: 9, decidedAt: 10 });
    expect(stampRoute(rolledBack(next), 11)).toMatchObject({ revision: 11, promotedAt: 9, decidedAt: 11 });
  });
});

describe('scopeKey', () => {
  test('tells a queue from a queue of a tenant, and every scope from every other', () => {
    expect(scopeKey('payments')).toBe('payments');
    expect(scopeKey('payments', 'acme')).toBe('payments|acme');
    expect(scopeKey('a', 'b|c')).not.toBe(scopeKey('a', 'b'));
  });
});

/** A queue and a tenant of it through a common sequence of decisions, one revision each. */
class History {
  queue: Route | undefined;
  tenant: Route | undefined;
  #revision = 0;

  /** `queue v1 → v3`, `queue promoted`, `tenant rolled back`, `queue 50 %`, … */
  constructor(...steps: readonly string[]) {
    for (const step of steps) this.#take(step);
  }

  #take(step: string): void {
    const [scope, ...words] = step.split(' ') as ['queue' | 'tenant', ...string[]];
    const change = words.join(' ');
    const before = this[scope];
    let after: Route;
    if (change === 'promoted') after = promoted(before!);
    else if (change === 'rolled back') after = rolledBack(before!);
    else if (change.endsWith('%')) after = withPercentage(before!, Number(words[0]), 2);
    else after = open(before, words[2]!, words[0]);
    this[scope] = stampRoute(after, ++this.#revision);
  }

  get followed(): string {
    const route = effectiveRoute(this.queue, this.tenant!);
    if (route === this.tenant) return 'tenant';
    return route.split === this.queue!.split ? 'queue' : 'stable version of the queue';
  }
}

test('what was rolled back for a tenant gets nothing of that tenant while it follows the queue', () => {
  const { queue, tenant } = new History('queue v1 → v3', 'tenant v1 → v2', 'tenant rolled back');
  expect(placeOf('v2', effectiveRoute(queue, tenant!))).toBe('none');
  expect(membershipOf(workerOf('w', { version: 'v2', lane: 'canary' }), queue)).toBe('canary');
});

test('a stable version that the next deployment does not name is superseded by the one that it names', () => {
  const next = open(promoted(open(undefined, 'v2')), 'v3', 'v1');
  expect(['v1', 'v2', 'v3'].map((version) => placeOf(version, next))).toEqual([
    'stable',
    'reserve',
    'canary',
  ]);
});

describe('the jobs of a tenant that had a deployment of its own follow', () => {
  test.each<[string, string, string[]]>([
    ['the tenant, if the queue never had one', 'tenant', ['tenant v1 → v2', 'tenant rolled back']],
    ['the tenant, while its deployment is open', 'tenant', ['queue v1 → v3', 'tenant v1 → v2']],
    [
      'the tenant, while its deployment is open, even if the queue decides later',
      'tenant',
      ['tenant v1 → v2', 'queue v1 → v3', 'queue promoted'],
    ],
    [
      'the tenant, if its promotion came after the latest decision of the queue',
      'tenant',
      ['queue v1 → v3', 'tenant v1 → v2', 'tenant promoted'],
    ],
    [
      'the stable version of the queue, if what they rolled back is being tried on the queue meanwhile',
      'stable version of the queue',
      ['queue v1 → v2', 'tenant v1 → v2', 'tenant rolled back'],
    ],
    [
      'the same, when the queue then changes its percentage, which decides nothing',
      'stable version of the queue',
      ['queue v1 → v2', 'tenant v1 → v2', 'tenant rolled back', 'queue 50 %'],
    ],
    [
      'the queue, once it opens a deployment of that version after the rollback of the tenant',
      'queue',
      ['tenant v1 → v2', 'tenant rolled back', 'queue v1 → v2'],
    ],
    [
      'the queue, if it promoted another version before the rollback of the tenant: that is not taken back',
      'queue',
      ['tenant v1 → v2', 'queue v1 → v3', 'queue promoted', 'tenant rolled back'],
    ],
    [
      'the queue, once it opens a deployment after the rollback of the tenant',
      'queue',
      ['tenant v1 → v2', 'tenant rolled back', 'queue v1 → v3'],
    ],
    [
      'the queue, once it opens a deployment that starts from the version promoted for the tenant',
      'queue',
      ['tenant v1 → v2', 'tenant promoted', 'queue v2 → v3'],
    ],
    [
      'the tenant, when the queue opens one that starts from another version: the promotion is not taken back',
      'tenant',
      ['tenant v1 → v2', 'tenant promoted', 'queue v1 → v3'],
    ],
    [
      'the tenant, when that deployment of the queue is rolled back',
      'tenant',
      ['tenant v1 → v2', 'tenant promoted', 'queue v1 → v3', 'queue rolled back'],
    ],
    [
      'the queue, when that deployment of the queue is promoted',
      'queue',
      ['tenant v1 → v2', 'tenant promoted', 'queue v1 → v3', 'queue promoted'],
    ],
    [
      'the queue, when the queue promotes the same version',
      'queue',
      ['tenant v1 → v2', 'tenant promoted', 'queue v1 → v2', 'queue promoted'],
    ],
    [
      'the tenant, whose promotion stands although a later deployment of the tenant was rolled back',
      'tenant',
      [
        'tenant v1 → v2',
        'tenant promoted',
        'tenant v2 → v4',
        'tenant rolled back',
        'queue v1 → v3',
        'queue 50 %',
      ],
    ],
    [
      'the queue, whose promotion is later than the tenant’s, also while the queue’s next one is open',
      'queue',
      ['tenant v1 → v2', 'tenant promoted', 'queue v1 → v3', 'queue promoted', 'queue v3 → v4'],
    ],
  ])('%s', (_, followed, steps) => {
    expect(new History(...steps).followed).toBe(followed);
  });
});
