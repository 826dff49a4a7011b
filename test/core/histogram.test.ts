import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BUCKETS,
  bucketIndex,
  bucketStart,
  countBelow,
  createHistogram,
  filledBuckets,
  merge,
  quantile,
  record,
  type Histogram,
} from '../../src/core/histogram.ts';

function histogramOf(values: readonly number[]): Histogram {
  const histogram = createHistogram();
  for (const value of values) record(histogram, value);
  return histogram;
}

function mergedFrom(...parts: readonly Histogram[]): Histogram {
  const histogram = createHistogram();
  for (const part of parts) merge(histogram, part);
  return histogram;
}

function exactQuantile(values: readonly number[], q: number): number {
  return values.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(q * values.length)) - 1]!;
}

const DAYS_49 = 2 ** 42 / 1024;
/** Latencies of every magnitude alike, from a tenth of a millisecond to a month. */
const latency = fc.integer({ min: -100_000, max: 940_000 }).map((exponent) => 10 ** (exponent / 100_000));
const quantiles = fc.integer({ min: 0, max: 1000 }).map((thousandths) => thousandths / 1000);
/** Whole numbers, so that sums are exact in any order. */
const wholeLatencies = fc.array(fc.nat(1_000_000), { maxLength: 50 });

describe('a bucket', () => {
  test('holds what is at least its start and less than the start of the next', () => {
    fc.assert(
      fc.property(latency, (ms) => {
        const index = bucketIndex(ms);
        expect(bucketStart(index)).toBeLessThanOrEqual(ms);
        expect(bucketStart(index + 1)).toBeGreaterThan(ms);
      }),
    );
  });

  test('begins where its number says, and where the one before ends', () => {
    const starts = Array.from({ length: BUCKETS }, (_, i) => bucketStart(i));
    expect(starts.map(bucketIndex)).toEqual([...starts.keys()]);
    expect(starts).toEqual(starts.toSorted((a, b) => a - b));
    expect(new Set(starts).size).toBe(BUCKETS);
  });

  test('is at most a sixteenth of its start wide, above 1/64 ms', () => {
    const widths = Array.from(
      { length: BUCKETS },
      (_, i) => (bucketStart(i + 1) - bucketStart(i)) / bucketStart(i),
    );
    expect(Math.max(...widths.slice(16))).toBe(1 / 16);
    expect(bucketStart(16)).toBe(1 / 64);
  });

  test('begins at every power of two of milliseconds: Prometheus buckets there are exact', () => {
    for (let exponent = -6; exponent < 32; exponent++) {
      const ms = 2 ** exponent;
      expect(bucketStart(bucketIndex(ms))).toBe(ms);
      const justBelow = ms * (1 - 2 ** -20);
      expect(bucketIndex(justBelow)).toBe(bucketIndex(ms) - 1);
    }
  });

  test('takes zero and less as zero, and more than 49 days as 49 days', () => {
    for (const ms of [0, -0, -1, -Infinity, 1e-9]) expect(bucketIndex(ms)).toBe(0);
    for (const ms of [DAYS_49, 2 * DAYS_49, 1e300, Infinity]) expect(bucketIndex(ms)).toBe(BUCKETS - 1);
    expect(bucketStart(BUCKETS)).toBe(DAYS_49);
  });
});

describe('recording', () => {
  test('counts every value once, and keeps the sum and the largest', () => {
    const histogram = histogramOf([3, 1, 2, 2]);
    expect(histogram).toMatchObject({ count: 4, sum: 8, max: 3 });
    expect([...filledBuckets(histogram)]).toEqual([
      [bucketIndex(1), 1],
      [bucketIndex(2), 2],
      [bucketIndex(3), 1],
    ]);
  });

  test('takes values of any size', () => {
    const histogram = histogramOf([0, 1e12]);
    expect([...filledBuckets(histogram)]).toEqual([
      [0, 1],
      [BUCKETS - 1, 1],
    ]);
    expect(histogram.max).toBe(1e12);
  });
});

test('a histogram holds the octaves between its smallest and its largest value, and no others', () => {
  expect(histogramOf([]).counts.length).toBe(0);
  expect(histogramOf([1, 1.9]).counts.length).toBe(16);
  expect(histogramOf([1, 2, 7.9]).counts.length).toBe(3 * 16);
  expect(mergedFrom(histogramOf([1]), histogramOf([1000])).counts.length).toBe(10 * 16);
});

describe('merging', () => {
  test('is the same as having recorded everything in one', () => {
    fc.assert(
      fc.property(wholeLatencies, wholeLatencies, (a, b) => {
        expect(mergedFrom(histogramOf(a), histogramOf(b))).toEqual(histogramOf([...a, ...b]));
      }),
    );
  });

  test('is associative and commutative', () => {
    fc.assert(
      fc.property(wholeLatencies, wholeLatencies, wholeLatencies, (...values) => {
        const [a, b, c] = values.map(histogramOf) as [Histogram, Histogram, Histogram];
        expect(mergedFrom(mergedFrom(a, b), c)).toEqual(mergedFrom(a, mergedFrom(b, c)));
        expect(mergedFrom(a, b)).toEqual(mergedFrom(b, a));
      }),
    );
  });

  test('with an empty one changes nothing', () => {
    fc.assert(
      fc.property(wholeLatencies, (values) => {
        expect(mergedFrom(histogramOf(values), createHistogram())).toEqual(histogramOf(values));
      }),
    );
  });

  test('leaves alone what it takes from', () => {
    const from = histogramOf([1, 2]);
    const into = mergedFrom(from);
    record(into, 3);
    expect(from).toEqual(histogramOf([1, 2]));
  });
});

describe('a quantile', () => {
  test('is at most 5 % away from the exact one', () => {
    fc.assert(
      fc.property(fc.array(latency, { minLength: 1, maxLength: 200 }), quantiles, (values, q) => {
        const exact = exactQuantile(values, q);
        expect(Math.abs(quantile(histogramOf(values), q)! - exact) / exact).toBeLessThanOrEqual(0.05);
      }),
    );
  });

  test('is at most 1/32 away from the exact one, which is what the buckets promise', () => {
    fc.assert(
      fc.property(latency, (ms) => {
        // A larger value beside it, so that the largest doesn't cap the answer.
        const p50 = quantile(histogramOf([ms, 2 * ms]), 0.5)!;
        expect(Math.abs(p50 - ms) / ms).toBeLessThanOrEqual(1 / 32);
      }),
    );
  });

  test('of merged histograms is that of all values, which the mean of two quantiles is not', () => {
    const fast = Array.from({ length: 990 }, () => 10);
    const slow = Array.from({ length: 10 }, () => 1000);
    const merged = mergedFrom(histogramOf(fast), histogramOf(slow));
    expect(quantile(merged, 0.95)).toBeCloseTo(10, 0);
    expect(quantile(merged, 0.995)).toBeGreaterThan(950);
  });

  test('is that of the nearest rank: the smallest value that so many are not above', () => {
    const powers = histogramOf([1, 2, 4, 8]);
    const ranks = [0, 0.25, 0.26, 0.5, 0.51, 0.75, 0.76, 1].map((q) => bucketIndex(quantile(powers, q)!));
    expect(ranks).toEqual([1, 1, 2, 2, 4, 4, 8, 8].map(bucketIndex));
  });

  test('never exceeds the largest value', () => {
    fc.assert(
      fc.property(fc.array(latency, { minLength: 1, maxLength: 20 }), (values) => {
        expect(quantile(histogramOf(values), 1)!).toBeLessThanOrEqual(Math.max(...values));
      }),
    );
  });

  test('grows with q', () => {
    fc.assert(
      fc.property(fc.array(latency, { minLength: 1, maxLength: 50 }), (values) => {
        const histogram = histogramOf(values);
        const grown = [0, 0.25, 0.5, 0.9, 0.95, 0.99, 1].map((q) => quantile(histogram, q)!);
        expect(grown).toEqual(grown.toSorted((a, b) => a - b));
      }),
    );
  });

  test('of nothing is null, never a made-up 0', () => {
    expect(quantile(createHistogram(), 0.5)).toBeNull();
  });

  test('of zeros is 0', () => {
    expect(quantile(histogramOf([0, 0]), 0.95)).toBe(0);
  });
});

describe('countBelow', () => {
  test('is exact at the bounds of buckets', () => {
    fc.assert(
      fc.property(
        fc.array(latency, { maxLength: 50 }),
        fc.integer({ min: 0, max: BUCKETS - 1 }),
        (values, index) => {
          const bound = bucketStart(index);
          expect(countBelow(histogramOf(values), bound)).toBe(values.filter((v) => v < bound).length);
        },
      ),
    );
  });

  test('elsewhere leaves out the bucket that the bound is in', () => {
    const histogram = histogramOf([100, 100.1, 200]);
    expect(countBelow(histogram, 101)).toBe(0);
    expect(countBelow(histogram, 150)).toBe(2);
  });
});
