import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KeyCounts } from '../../src/core/key-counts.ts';

describe('counts of keys under way', () => {
  // Few distinct hashes with few distinct low bits: they collide, wrap round the end, and leave gaps for others to close.
  const hash = fc.oneof(
    fc.integer({ min: 0, max: 40 }),
    fc.integer({ min: 0, max: 3 }).map((n) => 15 + 16 * n),
    fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  );

  test('are those of a Map, whatever is added and removed in whatever order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(hash, fc.boolean()), { maxLength: 200 }), (steps) => {
        const counts = new KeyCounts();
        const expected = new Map<number, number>();
        for (const [key, isAdded] of steps) {
          const before = expected.get(key) ?? 0;
          if (isAdded) {
            counts.add(key);
            expected.set(key, before + 1);
          } else if (before > 0) {
            counts.remove(key);
            if (before === 1) expected.delete(key);
            else expected.set(key, before - 1);
          }
          expect(counts.size).toBe(expected.size);
          for (const [each] of steps) expect(counts.of(each)).toBe(expected.get(each) ?? 0);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('hold as many keys as there are', () => {
    const counts = new KeyCounts();
    for (let i = 0; i < 5000; i++) counts.add(Math.imul(i, 0x9e3779b1) >>> 1);
    expect(counts.size).toBe(5000);
    for (let i = 0; i < 5000; i++) counts.remove(Math.imul(i, 0x9e3779b1) >>> 1);
    expect(counts.size).toBe(0);
  });
});
