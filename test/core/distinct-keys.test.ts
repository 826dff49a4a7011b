import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashKey } from '../../src/core/hash.ts';
import {
  countKey,
  createDistinctKeys,
  distinctKeyCount,
  KEY_REGISTERS,
  mergeKeys,
  type DistinctKeys,
} from '../../src/core/distinct-keys.ts';
import { laneAt, lanePosition, laneSeed, laneThreshold } from '../../src/core/lane.ts';
import { KEY_SHAPES, keysOf } from './fixtures.ts';

function keysAre(keys: Iterable<string>): DistinctKeys {
  const registers = createDistinctKeys();
  for (const key of keys) countKey(registers, hashKey(key));
  return registers;
}

function merged(...parts: readonly DistinctKeys[]): DistinctKeys {
  const all = createDistinctKeys();
  for (const part of parts) mergeKeys(all, part);
  return all;
}

const someKeys = fc.array(fc.string({ unit: 'binary-ascii' }), { maxLength: 300 }).map(keysAre);

describe('distinct keys', () => {
  test('are merged in whatever order and grouping, and merging the same once more changes nothing', () => {
    fc.assert(
      fc.property(someKeys, someKeys, someKeys, (a, b, c) => {
        expect(merged(merged(a, b), c)).toEqual(merged(a, merged(b, c)));
        expect(merged(a, b)).toEqual(merged(b, a));
        expect(merged(a, b, b, a)).toEqual(merged(a, b));
        expect(merged(a)).toEqual(a);
      }),
    );
  });

  test('of parts are those of the whole, however the keys were dealt out', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string({ unit: 'binary-ascii' }), fc.boolean())), (keys) => {
        const of = (part: boolean): DistinctKeys =>
          keysAre(keys.filter(([, where]) => where === part).map(([key]) => key));
        expect(merged(of(true), of(false))).toEqual(keysAre(keys.map(([key]) => key)));
      }),
    );
  });

  test('count once, however often they come', () => {
    const once = keysOf(KEY_SHAPES['user-<n>']!, 100);
    expect(keysAre(Array.from({ length: 50 }, () => once).flat())).toEqual(keysAre(once));
  });

  test('are 0 where there was none, and 1 where there was one', () => {
    expect(distinctKeyCount(createDistinctKeys())).toBe(0);
    fc.assert(
      fc.property(fc.string(), (key) => {
        expect(distinctKeyCount(keysAre([key]))).toBe(1);
      }),
    );
  });

  test.each(Object.entries(KEY_SHAPES))('are told to within four standard errors: %s', (_name, shape) => {
    const fourErrors = (4 * 1.04) / Math.sqrt(KEY_REGISTERS);
    const registers = createDistinctKeys();
    for (let n = 1; n <= 5000; n++) {
      countKey(registers, hashKey(shape(n)));
      const count = distinctKeyCount(registers);
      // Of a few keys two may share a register.
      expect(Math.abs(count - n), `${count} for ${n}`).toBeLessThanOrEqual(Math.max(2, fourErrors * n));
    }
  });

  test('are on average right to within one part in fifty, from a handful to thousands', () => {
    for (const n of [5, 20, 100, 300, 640, 1000, 2500, 5000]) {
      const counts = Array.from({ length: 200 }, (_, fleet) =>
        distinctKeyCount(keysAre(Array.from({ length: n }, (_key, i) => `${fleet}/customer-${i}`))),
      );
      const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
      expect(Math.abs(mean / n - 1), `${mean} for ${n}`).toBeLessThan(0.02);
    }
  });

  test('of one lane are as many as went there: the lane says nothing about the register', () => {
    const seed = laneSeed('canary_1');
    const canary = keysOf(KEY_SHAPES['user-<n>']!, 20_000).filter(
      (key) => laneAt(lanePosition(hashKey(key), seed), laneThreshold(5)) === 'canary',
    );
    expect(canary.length).toBeGreaterThan(900);
    expect(Math.abs(distinctKeyCount(keysAre(canary)) / canary.length - 1)).toBeLessThan(0.2);
  });

  test('beyond all measure stay a number', () => {
    const full = createDistinctKeys().fill(25);
    expect(distinctKeyCount(full)).toBeGreaterThan(1e9);
    expect(Number.isFinite(distinctKeyCount(full))).toBe(true);
  });
});
