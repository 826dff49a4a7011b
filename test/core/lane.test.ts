import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { byteString, hashKey } from '../../src/core/hash.ts';
import {
  isPercentage,
  laneAt,
  lanePosition,
  laneSeed,
  laneThreshold,
  randomPosition,
  type Lane,
} from '../../src/core/lane.ts';
import { candidates, createRing } from '../../src/core/ring.ts';
import { KEY_SHAPES, keysOf } from './fixtures.ts';

const SALT = 'canary_9b2d7c1e-4f3a-4c55-8a6e-0d9f1b2c3d4e';

function laneOf(key: string, percentage: number, salt: string = SALT): Lane {
  return laneAt(lanePosition(hashKey(key), laneSeed(salt)), laneThreshold(percentage));
}

function canaryKeys(keys: readonly string[], percentage: number, salt: string = SALT): Set<string> {
  return new Set(keys.filter((key) => laneOf(key, percentage, salt) === 'canary'));
}

const percentage = fc.integer({ min: 0, max: 10_000 }).map((hundredths) => hundredths / 100);
const position = fc.integer({ min: 0, max: 2 ** 32 - 1 });

/**
 * FROZEN. Proxies of different releases, and those of other languages, run side by side and must send a key to the
 * same lane; these values must never change. Made with an implementation of its own, not with the code under test.
 */
describe('lane positions are the same in every release', () => {
  const salts = ['canary_00000000-0000-4000-8000-000000000001', SALT, 'größe'];

  test('the seed of a salt', () => {
    expect(salts.map(laneSeed)).toEqual([0xc14bd216, 0xf541c9bd, 0x1d728c1e]);
  });

  test.each([
    ['1', [0x6d38aaef, 0x5ed99084, 0xf32d2429]],
    ['42', [0xf8621af6, 0x617c053e, 0x0c1c7357]],
    ['12345', [0xc81074ef, 0x5eaf4521, 0x1a8b0656]],
    ['user-1', [0x7790bbaf, 0xdf63fea5, 0x57c1fed2]],
    ['user-2', [0xe289ca9d, 0x682de323, 0xa7e9399b]],
    ['user-12345', [0x8d7b8d1d, 0x8548201c, 0x21a5e81c]],
    ['order:2024-11-05/99', [0x7c39c49e, 0x03d7787f, 0xfa513a8d]],
    ['7f000001-0000-4000-8000-000000000001', [0x93f1de40, 0x9eed6e39, 0xcafb27d5]],
    ['acme|invoice 17', [0xcea8070e, 0x00f5069f, 0xab9fc0fa]],
    ['ключ', [0x025f1eed, 0x1f4eb82d, 0xfe97476d]],
    ['名前', [0x16039852, 0x0b581e8e, 0x7aa86be4]],
    ['x'.repeat(40), [0x1ba1cc3c, 0x0fad5780, 0x92189a63]],
  ])('%s', (key, positions) => {
    expect(salts.map((salt) => lanePosition(hashKey(byteString(key)), laneSeed(salt)))).toEqual(positions);
  });

  test('the threshold of a percentage', () => {
    expect([0, 0.01, 1, 10, 33.33, 50, 99.99, 100].map(laneThreshold)).toEqual([
      0, 429_497, 42_949_673, 429_496_730, 1_431_512_600, 2_147_483_648, 4_294_537_799, 4_294_967_296,
    ]);
  });
});

describe('a key', () => {
  test('keeps its lane while the percentage stands', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), percentage, (key, salt, p) => {
        expect(laneOf(key, p, salt)).toBe(laneOf(key, p, salt));
      }),
    );
  });

  test('moves only from stable to canary when the percentage is raised, and only back when it is lowered', () => {
    fc.assert(
      fc.property(position, percentage, percentage, (at, p1, p2) => {
        const [low, high] = [Math.min(p1, p2), Math.max(p1, p2)];
        const lanes = `${laneAt(at, laneThreshold(low))} to ${laneAt(at, laneThreshold(high))}`;
        expect(lanes).not.toBe('canary to stable');
      }),
    );
  });

  test('that is canary at one percentage is canary at every higher one, in steps of a hundredth', () => {
    const keys = keysOf(KEY_SHAPES['user-<n>']!, 2000);
    let before = new Set<string>();
    for (let p = 0; p <= 100; p += 2.53) {
      const rounded = Math.round(p * 100) / 100;
      const now = canaryKeys(keys, rounded);
      expect([...before].filter((key) => !now.has(key))).toEqual([]);
      before = now;
    }
    expect(before.size).toBeGreaterThan(1900);
  });

  test('may change its lane by a hundredth of a percent', () => {
    const thresholds = Array.from({ length: 10_001 }, (_, i) => laneThreshold(i / 100));
    const steps = thresholds.slice(1).map((threshold, i) => threshold - thresholds[i]!);
    expect(new Set(steps)).toEqual(new Set([429_496, 429_497]));
  });
});

describe('the ends are exact', () => {
  test('at 0 % every position is stable, at 100 % every position is canary', () => {
    fc.assert(
      fc.property(position, (at) => {
        expect(laneAt(at, laneThreshold(0))).toBe('stable');
        expect(laneAt(at, laneThreshold(100))).toBe('canary');
      }),
    );
  });

  test('also for the first and the last position there is', () => {
    expect(laneAt(0, laneThreshold(0))).toBe('stable');
    expect(laneAt(2 ** 32 - 1, laneThreshold(100))).toBe('canary');
  });

  test('also for a dispatch that is not sticky', () => {
    const largestRandom = 1 - 2 ** -53;
    expect(randomPosition(0)).toBe(0);
    expect(randomPosition(largestRandom)).toBe(2 ** 32 - 1);
  });
});

describe.each(Object.entries(KEY_SHAPES))('of 20,000 keys that are %s', (_, shape) => {
  const keys = keysOf(shape, 20_000);

  test('are distinct', () => expect(new Set(keys).size).toBe(keys.length));

  test.each([1, 25, 50, 99])('%i %% are canary at that percentage, within a point', (p) => {
    const share = (100 * canaryKeys(keys, p).size) / keys.length;
    expect(Math.abs(share - p)).toBeLessThan(1);
  });

  test('another deployment picks other keys', () => {
    const mine = canaryKeys(keys, 25, 'canary_a');
    const others = canaryKeys(keys, 25, 'canary_b');
    const inBoth = [...mine].filter((key) => others.has(key));
    // Independent picks share a quarter of a quarter: 1,250 ± 34 keys.
    expect(Math.abs(inBoth.length - 1250)).toBeLessThan(4 * 34);
  });

  // The regression guarded against: with one seed for both, a 10 % canary reaches only the first tenth of its ring.
  test('the canary ones spread over a ring of ten as all keys do: lane and ring are independent', () => {
    const ring = createRing(Array.from({ length: 10 }, (__, i) => ({ id: `worker-${i}`, weight: 1 })));
    const all = Array.from({ length: 10 }, () => 0);
    const canary = Array.from({ length: 10 }, () => 0);
    for (const key of keys) {
      const worker = candidates(ring, hashKey(key)).next().value!;
      all[worker]! += 1;
      if (laneOf(key, 10) === 'canary') canary[worker]! += 1;
    }
    const canaryTotal = canary.reduce((sum, n) => sum + n, 0);
    const share = canaryTotal / keys.length;
    let chiSquare = 0;
    for (let w = 0; w < 10; w++) {
      const expected = all[w]! * share;
      chiSquare += (canary[w]! - expected) ** 2 / (expected * (1 - share));
      // 200 expected with a standard deviation of 14, on a ring whose shares are even to about 3 %.
      expect(Math.abs(canary[w]! - canaryTotal / 10)).toBeLessThan(0.3 * (canaryTotal / 10));
    }
    // 9 degrees of freedom: 27.9 is passed by chance once in a thousand.
    expect(chiSquare).toBeLessThan(27.9);
  });
});

describe('a percentage', () => {
  test('is any number from 0 to 100 in hundredths', () => {
    const all = Array.from({ length: 10_001 }, (_, hundredths) => hundredths / 100);
    expect(all.filter((value) => !isPercentage(value))).toEqual([]);
  });

  test('has no third decimal', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 99_999 }), (thousandths) => {
        fc.pre(thousandths % 10 !== 0);
        expect(isPercentage(thousandths / 1000)).toBe(false);
      }),
    );
  });

  test.each([1e-12, 5e-324, 50.000_000_000_1, 33.333_333_333_333_336, 100 - 1e-13])(
    'is not %d, however near that is to a hundredth',
    (value) => expect(isPercentage(value)).toBe(false),
  );

  test.each([-0.01, -1, 100.01, 101, 1e300, NaN, Infinity, -Infinity])('is not %d', (value) => {
    expect(isPercentage(value)).toBe(false);
  });

  test.each([['10'], [null], [undefined], [true], [10n], [[10]], [{}]])('is not %o', (value) => {
    expect(isPercentage(value)).toBe(false);
  });
});
