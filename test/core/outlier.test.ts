import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OUTCOMES } from '../../src/core/outcome.ts';
import {
  canSpare,
  HEALTHY,
  isDue,
  isOpenTo,
  step,
  verdictOf,
  type EjectionPolicy,
  type HealthEvent,
  type WorkerHealth,
} from '../../src/core/outlier.ts';
import { poolOf, workerOf } from './fixtures.ts';

const POLICY: EjectionPolicy = { failures: 5, time: 30_000, timeMax: 300_000, shareMax: 0.5 };

function after(events: readonly HealthEvent[], from: WorkerHealth = HEALTHY, now = 0): WorkerHealth {
  return events.reduce((health, event) => step(health, event, POLICY, () => now), from);
}

const bad = (times: number): HealthEvent[] => Array.from({ length: times }, () => 'bad' as const);

describe('a worker is due to be ejected', () => {
  test('after five failures in a row, and then after every five more', () => {
    const due = Array.from({ length: 20 }, (_, i) => i + 1).filter((n) => isDue(after(bad(n)), POLICY));
    expect(due).toEqual([5, 10, 15, 20]);
  });

  test('only if nothing good came in between', () => {
    expect(isDue(after([...bad(4), 'good', ...bad(4)]), POLICY)).toBe(false);
    expect(isDue(after([...bad(4), 'undecided', 'begun', 'time', ...bad(1)]), POLICY)).toBe(true);
  });

  test('never, where the number is 0', () => {
    expect(isDue(HEALTHY, { ...POLICY, failures: 0 })).toBe(false);
    expect(isDue(after(bad(5)), { ...POLICY, failures: 0 })).toBe(false);
  });
});

describe('an ejection', () => {
  /** Ejected at `now`, and tried again as soon as that is over. */
  function trialAfter(health: WorkerHealth, now: number): { lastedMs: number; trial: WorkerHealth } {
    const ejected = step(health, health.kind === 'trial' ? 'bad' : 'eject', POLICY, () => now);
    if (ejected.kind !== 'ejected') throw new Error(ejected.kind);
    const trial = step(ejected, 'time', POLICY, () => ejected.until);
    return { lastedMs: ejected.until - now, trial };
  }

  test('lasts 30 s longer each time, up to 300 s', () => {
    let health = HEALTHY;
    const lasted = Array.from({ length: 12 }, () => {
      const { lastedMs, trial } = trialAfter(health, 1000);
      health = trial;
      return lastedMs / 1000;
    });
    expect(lasted).toEqual([30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]);
  });

  test('is forgotten after 30 s in health, one after the other', () => {
    let health = HEALTHY;
    for (let i = 0; i < 3; i++) health = trialAfter(health, 0).trial;
    const returned = step(health, 'good', POLICY, () => 1000);
    const nextAt = (now: number): number => trialAfter(returned, now).lastedMs / 1000;
    expect([1000, 30_999, 31_000, 61_000, 91_000, 9_000_000].map(nextAt)).toEqual([120, 120, 90, 60, 30, 30]);
  });

  test('is over when its time is, not before, whatever ends meanwhile', () => {
    const ejected = after(['eject']);
    expect(after(['good', 'bad', 'undecided', 'begun', 'time'], ejected, 29_999)).toBe(ejected);
    expect(after(['time'], ejected, 30_000).kind).toBe('trial');
  });
});

describe('a trial', () => {
  const trial = after(['time'], after(['eject']), 30_000);

  test('lets one dispatch through at a time', () => {
    expect(isOpenTo(trial)).toBe(true);
    expect(isOpenTo(after(['begun'], trial))).toBe(false);
    expect(isOpenTo(after(['begun', 'undecided'], trial))).toBe(true);
  });

  test('one that is good makes the worker healthy, one that is bad ejects it for longer', () => {
    expect(after(['begun', 'good'], trial)).toMatchObject({ kind: 'healthy', failures: 0 });
    expect(after(['begun', 'bad'], trial, 30_000)).toEqual({ kind: 'ejected', ejections: 2, until: 90_000 });
  });
});

test('a dispatch that ends well on a healthy worker changes nothing, and allocates nothing', () => {
  expect(step(HEALTHY, 'good', POLICY, () => 0)).toBe(HEALTHY);
});

test('an ejection is between its least and its greatest time, and only out of health or a trial', () => {
  const event = fc.constantFrom<HealthEvent>('good', 'bad', 'undecided', 'begun', 'eject', 'time');
  fc.assert(
    fc.property(fc.array(fc.tuple(event, fc.nat(100_000))), (events) => {
      let now = 0;
      let health = HEALTHY;
      for (const [what, waited] of events) {
        now += waited;
        const next = step(health, what, POLICY, () => now);
        if (next.kind === 'ejected' && health.kind !== 'ejected') {
          expect([health.kind, what]).toEqual(
            health.kind === 'trial' ? ['trial', 'bad'] : ['healthy', 'eject'],
          );
          expect(next.until - now).toBeGreaterThanOrEqual(POLICY.time);
          expect(next.until - now).toBeLessThanOrEqual(POLICY.timeMax);
        }
        if (health.kind === 'ejected' && next !== health) expect(now).toBeGreaterThanOrEqual(health.until);
        health = next;
      }
    }),
  );
});

test('of any lane some worker stays usable, and no more are ejected than the share, or one', () => {
  const share = fc.constantFrom(0, 0.1, 0.5, 1);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      share,
      fc.array(fc.tuple(fc.nat(11), fc.boolean())),
      (size, shareMax, turns) => {
        const pool = poolOf(...Array.from({ length: size }, (_, i) => workerOf(`w${i}`)));
        for (const [which, isBack] of turns) {
          const endpoint = pool.endpoints[which % size]!;
          if (isBack) endpoint.usable = true;
          else if (endpoint.usable && canSpare(pool, endpoint, shareMax)) endpoint.usable = false;
        }
        const out = pool.endpoints.filter(({ usable }) => !usable).length;
        expect(out).toBeLessThan(size);
        expect(out).toBeLessThanOrEqual(shareMax === 0 ? 0 : Math.max(1, Math.floor(shareMax * size)));
      },
    ),
  );
});

test('workers that the registry has taken out count neither as usable nor as ejected', () => {
  const pool = poolOf(workerOf('a'), workerOf('b'), workerOf('c'));
  Object.assign(pool.endpoints[2]!, { takesJobs: false, usable: false });
  expect(canSpare(pool, pool.endpoints[0]!, POLICY.shareMax)).toBe(true);
  Object.assign(pool.endpoints[1]!, { takesJobs: false, usable: false });
  expect(canSpare(pool, pool.endpoints[0]!, POLICY.shareMax)).toBe(false);
});

test('5xx, breaking off, silence and refused connections are bad; every other answer is good', () => {
  const verdicts = [200, 302, 404, 429, 500, 503].map((status) =>
    verdictOf(status < 400 ? 'success' : status === 429 ? 'rejected' : 'failure', status),
  );
  expect(verdicts).toEqual(['good', 'good', 'good', 'good', 'bad', 'bad']);
  // Broken off before and after the head of the answer; 503 with Retry-After.
  expect([verdictOf('failure', 0), verdictOf('failure', 200), verdictOf('rejected', 503)]).toEqual([
    'bad',
    'bad',
    'good',
  ]);
  expect(OUTCOMES.filter((outcome) => verdictOf(outcome, 0) === 'bad')).toEqual([
    'failure',
    'timeout',
    'unreachable',
  ]);
  expect(verdictOf('aborted', 0)).toBe('undecided');
});
