import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { byteString, hashKey } from '../../src/core/hash.ts';
import {
  candidates,
  createRing,
  findPoint,
  POINTS_PER_WEIGHT,
  RING_MEMBERS_MAX,
  type RingMember,
} from '../../src/core/ring.ts';
import { effectiveWeight } from '../../src/core/worker.ts';
import { KEY_SHAPES, keysOf, workerOf } from './fixtures.ts';

function membersOf(count: number): RingMember[] {
  return Array.from({ length: count }, (_, i) => ({ id: `worker-${i}`, weight: 1 }));
}

/** The ids in the order in which a key prefers them. */
function preferences(members: readonly RingMember[], keys: readonly string[]): string[][] {
  const ring = createRing(members);
  return keys.map((key) => [...candidates(ring, hashKey(key))].map((m) => members[m]!.id));
}

function owners(members: readonly RingMember[], keys: readonly string[]): string[] {
  const ring = createRing(members);
  return keys.map((key) => members[ring.owners[findPoint(ring, hashKey(key))]!]!.id);
}

/** The exact share of the circle that each member owns. */
function sharesOfCircle(members: readonly RingMember[]): number[] {
  const { points, owners: ownerOf } = createRing(members);
  const shares = members.map(() => 0);
  points.forEach((point, i) => {
    const before = i === 0 ? points.at(-1)! - 2 ** 32 : points[i - 1]!;
    shares[ownerOf[i]!]! += (point - before) / 2 ** 32;
  });
  return shares;
}

const KEYS = keysOf(KEY_SHAPES['user-<n>']!, 20_000);
const position = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const members = fc.uniqueArray(
  fc.record({ id: fc.string({ minLength: 1, maxLength: 12 }), weight: fc.constantFrom(0.01, 0.5, 1, 2) }),
  { selector: (m) => m.id, minLength: 1, maxLength: 8 },
);

/**
 * FROZEN, like the lane positions: proxies of different releases must send a key to the same worker. Made with an
 * implementation of its own.
 */
describe('ring choices are the same in every release', () => {
  const frozen: readonly RingMember[] = [
    { id: 'worker-a', weight: 1 },
    { id: 'worker-b', weight: 1 },
    { id: 'worker-c', weight: 2 },
    { id: 'worker-d', weight: 0.5 },
    { id: 'wörker-e', weight: 1 },
  ];

  test.each([
    ['1', 0x175cc4a5, 'e c d b a'],
    ['42', 0xa0868569, 'b a c d e'],
    ['12345', 0x777c6412, 'c b a e d'],
    ['user-1', 0x8f13adab, 'd b e c a'],
    ['user-2', 0x419e3dd5, 'e a d c b'],
    ['user-12345', 0x5e4f72ac, 'b c e a d'],
    ['order:2024-11-05/99', 0xad206640, 'c e d b a'],
    ['7f000001-0000-4000-8000-000000000001', 0x3ecc664a, 'e c b d a'],
    ['acme|invoice 17', 0x5871d704, 'b d a c e'],
    ['ключ', 0xcbd15c12, 'c e b a d'],
    ['名前', 0xe2a67cc9, 'd c b a e'],
    ['x'.repeat(40), 0xdf9f1661, 'b a c e d'],
  ])('%s', (text, at, order) => {
    const key = byteString(text);
    expect(hashKey(key)).toBe(at);
    const [ids] = preferences(frozen, [key]);
    expect(ids!.map((id) => id.at(-1)).join(' ')).toBe(order);
  });
});

describe('a ring', () => {
  test('depends on the ids and weights of its workers only, not on their order', () => {
    const shuffledTwice = members.chain((list) =>
      fc.tuple(
        fc.constant(list),
        fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length }),
      ),
    );
    fc.assert(
      fc.property(shuffledTwice, fc.array(fc.string(), { maxLength: 20 }), ([list, shuffled], keys) => {
        expect(preferences(shuffled, keys)).toEqual(preferences(list, keys));
      }),
      { numRuns: 50 },
    );
  });

  test('has its points in ascending order, at least one a worker', () => {
    fc.assert(
      fc.property(members, (list) => {
        const ring = createRing(list);
        expect(ring.points).toEqual(ring.points.toSorted());
        expect(new Set(ring.owners).size).toBe(list.length);
        expect(ring.size).toBe(list.length);
      }),
      { numRuns: 50 },
    );
  });

  test('has at least 1,024 points a worker, and so many even for a degraded one', () => {
    const workers = [workerOf('well'), workerOf('degraded', { status: 'degraded' })];
    const { owners: ownerOf } = createRing(workers.map((w) => ({ id: w.id, weight: effectiveWeight(w) })));
    expect(ownerOf.filter((owner) => owner === 0)).toHaveLength(POINTS_PER_WEIGHT);
    expect(ownerOf.filter((owner) => owner === 1)).toHaveLength(POINTS_PER_WEIGHT / 2);
    expect(POINTS_PER_WEIGHT / 2).toBeGreaterThanOrEqual(1024);
  });

  test('gives workers of the same weight the same share, with a spread of about 3 %', () => {
    for (const count of [2, 10, 100]) {
      const relative = sharesOfCircle(membersOf(count)).map((share) => share * count);
      const deviation = Math.sqrt(relative.reduce((sum, r) => sum + (r - 1) ** 2, 0) / count);
      expect(deviation).toBeLessThan(0.035);
      // Of a hundred workers the farthest is 2.5 to 3 deviations away.
      for (const r of relative) expect(Math.abs(r - 1)).toBeLessThan(0.1);
    }
  });

  test('gives a worker of weight 2 twice the share', () => {
    const [double, ...others] = sharesOfCircle([{ id: 'double', weight: 2 }, ...membersOf(8)]);
    expect(Math.abs(double! / 0.2 - 1)).toBeLessThan(0.07);
    for (const share of others) expect(Math.abs(share / 0.1 - 1)).toBeLessThan(0.1);
  });

  test('has every key on its only worker', () => {
    expect(new Set(owners(membersOf(1), KEYS.slice(0, 500)))).toEqual(new Set(['worker-0']));
  });

  test('without workers has no candidates', () => {
    const ring = createRing([]);
    expect(ring.size).toBe(0);
    expect([...candidates(ring, 12_345)]).toEqual([]);
  });

  test('refuses more workers than it can number', () => {
    const crowd = membersOf(RING_MEMBERS_MAX + 1);
    expect(() => createRing(crowd)).toThrow(/65537 workers.*at most 65536/);
  });
});

describe('when workers come and go', () => {
  const ten = membersOf(10);
  const before = owners(ten, KEYS);

  test('one that joins ten takes at most 13 % of the keys, and no key moves between the others', () => {
    const after = owners([...ten, { id: 'newcomer', weight: 1 }], KEYS);
    const moved = KEYS.filter((_, k) => after[k] !== before[k]);
    expect(moved.length / KEYS.length).toBeGreaterThan(0.06);
    expect(moved.length / KEYS.length).toBeLessThanOrEqual(0.13);
    expect(after.every((id, k) => id === before[k] || id === 'newcomer')).toBe(true);
  });

  test('one that leaves ten moves at most 13 % of the keys, and only its own', () => {
    const after = owners(ten.toSpliced(4, 1), KEYS);
    const moved = KEYS.filter((_, k) => after[k] !== before[k]);
    expect(moved.length / KEYS.length).toBeLessThanOrEqual(0.13);
    expect(after.every((id, k) => id === before[k] || before[k] === 'worker-4')).toBe(true);
    expect(after).not.toContain('worker-4');
  });

  test('the keys of one that leaves go to their second candidates, all over the others', () => {
    const after = owners(ten.toSpliced(4, 1), KEYS);
    const second = preferences(ten, KEYS).map((ids) => ids[1]);
    const orphans = [...KEYS.keys()].filter((k) => before[k] === 'worker-4');
    expect(orphans.map((k) => after[k])).toEqual(orphans.map((k) => second[k]));
    expect(new Set(orphans.map((k) => after[k])).size).toBe(9);
  });

  test('one whose weight grows only gains keys', () => {
    const after = owners(ten.with(4, { id: 'worker-4', weight: 1.5 }), KEYS);
    expect(after.every((id, k) => id === before[k] || id === 'worker-4')).toBe(true);
    expect(after.filter((id) => id === 'worker-4').length).toBeGreaterThan(
      before.filter((id) => id === 'worker-4').length,
    );
  });
});

describe('the candidates of a position', () => {
  test('are all workers, each once', () => {
    fc.assert(
      fc.property(members, position, (list, at) => {
        const found = [...candidates(createRing(list), at)];
        expect(found.toSorted((a, b) => a - b)).toEqual(list.map((_, i) => i));
      }),
      { numRuns: 50 },
    );
  });

  test('come in the order of their first points from there, going round', () => {
    fc.assert(
      fc.property(members, position, (list, at) => {
        const ring = createRing(list);
        const { points, owners: ownerOf } = ring;
        // The plain definition: everything at or after the position, then everything before it.
        const isAfter = (i: number): boolean => points[i]! >= at;
        const indices = [...points.keys()];
        const round = [...indices.filter(isAfter), ...indices.filter((i) => !isAfter(i))];
        expect([...candidates(ring, at)]).toEqual([...new Set(round.map((i) => ownerOf[i]!))]);
      }),
      { numRuns: 50 },
    );
  });

  test('begin with the owner of the first point at or after it', () => {
    const ring = createRing(membersOf(3));
    const { points } = ring;
    for (const i of [0, 1, 2, 1000, points.length - 1]) {
      expect(points[findPoint(ring, points[i]!)]).toBe(points[i]);
      expect(findPoint(ring, points[i]! + 1)).toBe(i + 1 === points.length ? 0 : i + 1);
    }
    expect(findPoint(ring, 0)).toBe(0);
    expect(findPoint(ring, 2 ** 32 - 1)).toBe(0);
  });
});
