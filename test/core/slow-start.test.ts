import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashKey } from '../../src/core/hash.ts';
import {
  BOUNDED_LOAD_DEFAULT,
  chooseByKey,
  chooseByLoad,
  NONE_TRIED,
  type Pool,
} from '../../src/core/pool.ts';
import { candidates } from '../../src/core/ring.ts';
import { SHARE_MIN, shareAfter } from '../../src/core/slow-start.ts';
import { KEY_SHAPES, keysOf, poolOf, randomOf, workerOf, type TestEndpoint } from './fixtures.ts';

const KEYS = keysOf(KEY_SHAPES['user-<n>']!, 4000);

function poolWith(...shares: readonly number[]): Pool<TestEndpoint> {
  const pool = poolOf(...shares.map((_, i) => workerOf(`worker-${i}`)));
  shares.forEach((share, m) => (pool.endpoints[m]!.share = share));
  return pool;
}

function memberFor(pool: Pool<TestEndpoint>, key: string): number | undefined {
  return chooseByKey(pool, hashKey(key), BOUNDED_LOAD_DEFAULT, NONE_TRIED)?.member;
}

function preferencesOf(pool: Pool<TestEndpoint>, key: string): number[] {
  return [...candidates(pool.ring, hashKey(key))];
}

const share = fc.double({ min: SHARE_MIN, max: 1, noNaN: true });
const shares = fc.array(fc.oneof(share, fc.constant(1)), { minLength: 1, maxLength: 8 });
const key = fc.constantFrom(...KEYS);

describe('the share of a worker', () => {
  test('grows from a tenth to all of it over the slow start, and never shrinks', () => {
    expect([0, 5000, 10_000, 30_000, 99_999, 100_000, 1e9].map((ms) => shareAfter(ms, 100_000))).toEqual([
      0.1, 0.1, 0.1, 0.3, 0.99999, 1, 1,
    ]);
    const ms = fc.integer({ min: 0, max: 4_000_000 });
    fc.assert(
      fc.property(ms, ms, fc.integer({ min: 1, max: 3_600_000 }), (a, b, slowStartMs) => {
        const [early, late] = a < b ? [a, b] : [b, a];
        const [before, after] = [shareAfter(early, slowStartMs), shareAfter(late, slowStartMs)];
        expect(before).toBeGreaterThanOrEqual(SHARE_MIN);
        expect(after).toBeGreaterThanOrEqual(before);
        expect(after).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('is all of it at once where there is no slow start', () => {
    expect(shareAfter(0, 0)).toBe(1);
  });

  test.each([0.1, 0.3, 0.7, 1])('%d is the part of its keys that it has', (part) => {
    const pool = poolWith(1, part, 1);
    const named = KEYS.filter((k) => preferencesOf(pool, k)[0] === 1);
    const had = named.filter((k) => memberFor(pool, k) === 1).length / named.length;
    // About 1,300 keys: four standard deviations are 5 points.
    expect(Math.abs(had - part)).toBeLessThan(0.055);
  });
});

describe('while workers ramp up', () => {
  test('keys that the ring names others for stay where they are', () => {
    fc.assert(
      fc.property(shares, key, (all, k) => {
        const pool = poolWith(...all);
        const [first] = preferencesOf(pool, k);
        if (pool.endpoints[first!]!.share === 1) expect(memberFor(pool, k)).toBe(first);
      }),
    );
  });

  test('the other keys of one are with their next candidate that admits them', () => {
    const pool = poolWith(0.1, 1, 1, 1);
    for (const k of KEYS) {
      const [first, second] = preferencesOf(pool, k);
      expect([first, second]).toContain(memberFor(pool, k));
      if (memberFor(pool, k) !== first) expect(first).toBe(0);
    }
  });

  test('a growing share only ever moves keys to the worker whose share it is', () => {
    fc.assert(
      fc.property(shares, fc.nat(7), share, fc.array(key, { maxLength: 50 }), (all, which, to, keys) => {
        const m = which % all.length;
        const before = poolWith(...all);
        const after = poolWith(...all.with(m, Math.max(all[m]!, to)));
        for (const k of keys) {
          const now = memberFor(after, k);
          if (now !== memberFor(before, k)) expect(now).toBe(m);
        }
      }),
    );
  });

  test('side by side, as in a new version, they share the keys as if there were no slow start', () => {
    const settled = poolWith(1, 1, 1, 1);
    const fresh = poolWith(0.1, 0.1, 0.1, 0.1);
    for (const k of KEYS) expect(memberFor(fresh, k)).toBe(memberFor(settled, k));
  });

  test('every job finds a worker that it would find without', () => {
    const state = fc.record({ share, usable: fc.boolean(), inFlight: fc.nat(3) });
    fc.assert(
      fc.property(fc.array(state, { minLength: 1, maxLength: 6 }), key, fc.integer(), (states, k, seed) => {
        const pool = poolWith(...states.map((s) => s.share));
        states.forEach(({ usable, inFlight }, m) => {
          const endpoint = pool.endpoints[m]!;
          Object.assign(endpoint, { usable, inFlight, worker: { ...endpoint.worker, maxConcurrency: 3 } });
        });
        const isAnybodyOpen = states.some(({ usable, inFlight }) => usable && inFlight < 3);
        expect(memberFor(pool, k) !== undefined).toBe(isAnybodyOpen);
        expect(chooseByLoad(pool, randomOf(seed), NONE_TRIED) !== undefined).toBe(isAnybodyOpen);
      }),
    );
  });

  test('a job that waits for nobody else goes to one that ramps up, rather than to none', () => {
    const pool = poolWith(SHARE_MIN, 1);
    pool.endpoints[1]!.usable = false;
    for (const k of KEYS.slice(0, 200)) {
      expect(chooseByKey(pool, hashKey(k), BOUNDED_LOAD_DEFAULT, NONE_TRIED)).toMatchObject({
        member: 0,
        spilled: false,
      });
    }
  });

  // It is the idle one: of two random workers the less loaded would be it nearly always.
  test('without sticky routing, one has no more than its share either', () => {
    const pool = poolWith(SHARE_MIN, 1, 1);
    for (const m of [1, 2]) pool.endpoints[m]!.inFlight = 5;
    const random = randomOf(11);
    let had = 0;
    for (let i = 0; i < 10_000; i++) if (chooseByLoad(pool, random, NONE_TRIED)!.member === 0) had++;
    // It is one of the two that are drawn in 2 of 3 choices; sparing it leaves about a tenth of those.
    expect(had / 10_000).toBeGreaterThan(0.04);
    expect(had / 10_000).toBeLessThan(0.12);
  });
});

test('once the slow start is over, every key is where it would be without one', () => {
  const settled = poolWith(1, 1, 1);
  const pool = poolWith(SHARE_MIN, SHARE_MIN, 1);
  for (const endpoint of pool.endpoints) endpoint.share = shareAfter(60_000, 60_000);
  for (const k of KEYS) expect(memberFor(pool, k)).toBe(memberFor(settled, k));
});
