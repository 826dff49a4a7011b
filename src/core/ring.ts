import { byteString, hash32, type KeyHash } from './hash.ts';

/**
 * A consistent-hash ring over the workers of one lane (Karger et al. 1997, with weighted virtual nodes). Built when
 * the membership changes, only read by dispatches: two typed arrays and a table of starting places, no objects.
 *
 * Points come from the worker's id, not its address, so a worker that moves keeps its keys. A key stands where its hash
 * is. Its lane is another number: with the same one, a 10 % canary would only ever reach 10 % of its ring.
 */
export interface Ring {
  /** Positions on the circle, ascending. */
  readonly points: Uint32Array;
  /** owners[i]: index of the worker that owns points[i]. */
  readonly owners: Uint16Array;
  /** starts[b]: index of the first point whose top bits are b or more. Turns the search into a few steps. */
  readonly starts: Uint32Array;
  /** How far to shift a position right to get its b. */
  readonly shift: number;
  /** Number of workers. */
  readonly size: number;
}

export interface RingMember {
  readonly id: string;
  /** Share of the keys relative to the other members; 1 is usual. */
  readonly weight: number;
}

/**
 * Virtual nodes for weight 1. The spread of the shares is about 1/√points: 2.2 % here. A worker at half weight
 * (degraded, or weight 0.5) still has 1,024 points, 3.1 %.
 */
export const POINTS_PER_WEIGHT = 2048;

/** Uint16 owners. */
export const RING_MEMBERS_MAX = 65_536;

/** Some eight points to each place of the search table. */
const SKIPPED_BITS = 3;

/**
 * @param members in any order; the ring depends on their ids and weights only
 * @returns a ring whose owners are indices into `members`
 */
export function createRing(members: readonly RingMember[]): Ring {
  if (members.length > RING_MEMBERS_MAX) {
    throw new RangeError(`a lane has ${members.length} workers; a ring holds at most ${RING_MEMBERS_MAX}`);
  }
  const byId = members
    .map((_, index) => index)
    .toSorted((a, b) => (members[a]!.id < members[b]!.id ? -1 : 1));
  const counts = members.map((m) => Math.max(1, Math.round(m.weight * POINTS_PER_WEIGHT)));
  const total = counts.reduce((sum, n) => sum + n, 0);

  // By rank of the id, so that the ring does not depend on the order in which the members came.
  const unsorted = new Uint32Array(total);
  const unsortedOwners = new Uint16Array(total);
  let at = 0;
  for (const member of byId) {
    const id = byteString(members[member]!.id);
    // The n-th point of a worker is its id hashed with seed n; a heavier worker has the same points and more.
    for (let n = 0; n < counts[member]!; n++) {
      unsortedOwners[at] = member;
      unsorted[at++] = hash32(id, n);
    }
  }
  return { ...sortPoints(unsorted, unsortedOwners), size: members.length };
}

/**
 * Sorts by position in linear time: the positions are uniform, so with about one bucket a point (by their top bits)
 * each bucket is nearly sorted once it is filled. Both steps keep the order of equal positions, which settles ties by
 * id. The buckets' beginnings are then the starting places of the search.
 */
function sortPoints(unsorted: Uint32Array, unsortedOwners: Uint16Array): Omit<Ring, 'size'> {
  const total = unsorted.length;
  const bits = Math.min(20, Math.max(1, Math.ceil(Math.log2(total + 1))));
  const shift = 32 - bits;
  const starts = new Uint32Array(2 ** bits + 1);
  for (const position of unsorted) starts[(position >>> shift) + 1]!++;
  for (let b = 1; b < starts.length; b++) starts[b]! += starts[b - 1]!;

  const points = new Uint32Array(total);
  const owners = new Uint16Array(total);
  const next = starts.slice();
  for (let i = 0; i < total; i++) {
    const position = unsorted[i]!;
    const bucket = position >>> shift;
    let place = next[bucket]!++;
    for (; place > starts[bucket]! && points[place - 1]! > position; place--) {
      points[place] = points[place - 1]!;
      owners[place] = owners[place - 1]!;
    }
    points[place] = position;
    owners[place] = unsortedOwners[i]!;
  }
  return { points, owners, ...searchTable(starts, bits) };
}

/**
 * Of the buckets' beginnings, every few: a table that stays in the processor's cache, and a few points more to look at
 * that lie side by side, are quicker than a table as large as the ring.
 */
function searchTable(beginnings: Uint32Array, bits: number): Pick<Ring, 'starts' | 'shift'> {
  const skipped = Math.min(SKIPPED_BITS, bits - 1);
  const starts = new Uint32Array(2 ** (bits - skipped));
  for (let b = 0; b < starts.length; b++) starts[b] = beginnings[b << skipped]!;
  return { starts, shift: 32 - bits + skipped };
}

/** Index of the first point at or after the key, going round. The ring must not be empty. */
export function findPoint(ring: Ring, key: KeyHash): number {
  const { points } = ring;
  let i = ring.starts[key >>> ring.shift]!;
  while (i < points.length && points[i]! < key) i++;
  return i === points.length ? 0 : i;
}

/** All workers in the order in which a key prefers them. For explanations and tests; dispatches stop at the first that will do. */
export function* candidates(ring: Ring, key: KeyHash): Generator<number> {
  if (ring.size === 0) return;
  const seen = new Set<number>();
  for (let i = findPoint(ring, key); seen.size < ring.size; i = i + 1 === ring.owners.length ? 0 : i + 1) {
    const owner = ring.owners[i]!;
    if (seen.has(owner)) continue;
    seen.add(owner);
    yield owner;
  }
}
