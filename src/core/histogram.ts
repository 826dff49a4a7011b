/**
 * A mergeable latency histogram: log-linear buckets (as in HdrHistogram), 16 to each power of two. Recording is an
 * index computation and an addition; merging is an addition of arrays, so percentiles over proxies and seconds come
 * from merged counts, never from averaged percentiles.
 *
 * Values are milliseconds, kept in units of 1/1024 ms. A bucket is at most 1/16 of its lower bound wide and stands
 * for its middle, so a quantile is off by at most 1/32 = 3.1 % (below 1/64 ms, by half a unit). Powers of two times
 * 1 ms are bucket bounds, which is why the Prometheus buckets are exact.
 *
 * Only the octaves between the smallest and the largest value are there, mostly three or four of 39: there is one of
 * these for each lane of each queue, and for each second of it.
 */

const UNITS_PER_MS = 1024;
const SUB_BITS = 4;
const SUB = 2 ** SUB_BITS;
/** 2^42 / 1024 ms = 49 days; longer ones count as that. */
const EXPONENT_MAX = 42;
const UNITS_MAX = 2 ** EXPONENT_MAX - 1;

export const BUCKETS = SUB + (EXPONENT_MAX - SUB_BITS) * SUB;

/** Exponent of a positive number below 2^53: the place of its highest bit. */
function exponentOf(units: number): number {
  return units < 2 ** 31 ? 31 - Math.clz32(units) : 62 - Math.clz32(Math.floor(units / 2 ** 31));
}

export function bucketIndex(ms: number): number {
  const units = Math.min(UNITS_MAX, Math.max(0, Math.floor(ms * UNITS_PER_MS)));
  if (units < SUB) return units;
  const exponent = exponentOf(units);
  // The four bits below the highest one, whatever the magnitude.
  const sub = Math.floor(units / 2 ** (exponent - SUB_BITS)) - SUB;
  return SUB + (exponent - SUB_BITS) * SUB + sub;
}

/** Lower bound of a bucket in milliseconds; its upper bound is the lower bound of the next. */
export function bucketStart(index: number): number {
  if (index < SUB) return index / UNITS_PER_MS;
  const exponent = SUB_BITS + Math.floor((index - SUB) / SUB);
  const sub = (index - SUB) % SUB;
  return ((SUB + sub) * 2 ** (exponent - SUB_BITS)) / UNITS_PER_MS;
}

export interface Histogram {
  /** By bucket, from `first` on: whole octaves. */
  counts: Float64Array;
  /** Number of the first bucket that is there. */
  first: number;
  count: number;
  /** Milliseconds. */
  sum: number;
  max: number;
}

export function createHistogram(): Histogram {
  return { counts: NO_COUNTS, first: 0, count: 0, sum: 0, max: 0 };
}

const NO_COUNTS = new Float64Array();

/** Makes room for the buckets from one to another. */
function widen(histogram: Histogram, from: number, to: number): void {
  const { counts, first } = histogram;
  const isEmpty = counts.length === 0;
  const start = Math.floor(from / SUB) * SUB;
  const end = (Math.floor(to / SUB) + 1) * SUB;
  const newFirst = isEmpty ? start : Math.min(first, start);
  const newEnd = isEmpty ? end : Math.max(first + counts.length, end);
  if (newEnd - newFirst === counts.length) return;
  histogram.counts = new Float64Array(newEnd - newFirst);
  histogram.counts.set(counts, isEmpty ? 0 : first - newFirst);
  histogram.first = newFirst;
}

/** Adds to one bucket, and to `count`; the caller knows what that makes of the sum and the largest. */
export function addToBucket(histogram: Histogram, bucket: number, count: number): void {
  const at = bucket - histogram.first;
  if (at < 0 || at >= histogram.counts.length) widen(histogram, bucket, bucket);
  histogram.counts[bucket - histogram.first]! += count;
  histogram.count += count;
}

/** Those in which something is. */
export function* filledBuckets({
  counts,
  first,
}: Histogram): Generator<readonly [bucket: number, count: number]> {
  for (let i = 0; i < counts.length; i++) if (counts[i]! > 0) yield [first + i, counts[i]!];
}

export function record(histogram: Histogram, ms: number): void {
  addToBucket(histogram, bucketIndex(ms), 1);
  histogram.sum += ms;
  if (ms > histogram.max) histogram.max = ms;
}

/** Adds `from` to `into`. */
export function merge(into: Histogram, from: Histogram): void {
  if (from.counts.length > 0) {
    widen(into, from.first, from.first + from.counts.length - 1);
    const shift = from.first - into.first;
    for (let i = 0; i < from.counts.length; i++) into.counts[i + shift]! += from.counts[i]!;
  }
  into.count += from.count;
  into.sum += from.sum;
  if (from.max > into.max) into.max = from.max;
}

/** @returns milliseconds, or null where nothing was recorded */
export function quantile(histogram: Histogram, q: number): number | null {
  if (histogram.count === 0) return null;
  const rank = Math.max(1, Math.ceil(q * histogram.count));
  let below = 0;
  for (const [i, count] of filledBuckets(histogram)) {
    below += count;
    if (below >= rank) return Math.min(histogram.max, (bucketStart(i) + bucketStart(i + 1)) / 2);
  }
  return histogram.max;
}

/** How many were below `ms`; exact where `ms` is a bucket bound. */
export function countBelow(histogram: Histogram, ms: number): number {
  const { counts, first } = histogram;
  const end = Math.min(bucketIndex(ms) - first, counts.length);
  let below = 0;
  for (let i = 0; i < end; i++) below += counts[i]!;
  return below;
}
