import type { KeyHash } from './hash.ts';
import { KeyCounts } from './key-counts.ts';
import { createRing, findPoint, type Ring } from './ring.ts';
import { isAdmitted } from './slow-start.ts';
import { effectiveWeight, type RoutedWorker } from './worker.ts';

/**
 * The workers of one lane with what it takes to choose among them. The ring never changes; health, ejection and load
 * only skip. Choosing allocates nothing. The ring is built by the first choice, or by whoever knows that one will come:
 * most of the queues that a proxy knows of are never dispatched to there, and the rings of ten thousand would cost it
 * seconds at the start, and 100 MB.
 */

/** A worker as a dispatcher sees it. Owned by the proxy; decisions only read it, `occupy` and `vacate` count. */
export interface Endpoint {
  readonly worker: RoutedWorker;
  /** May be sent jobs, as far as the registry knows. */
  readonly takesJobs: boolean;
  /** And nothing that the proxy saw says otherwise: it is not ejected, nor fails its probes; see `outlier.ts`, `probe.ts`. */
  readonly usable: boolean;
  /** Of the keys that the ring names it for; below 1 while it ramps up, see `slow-start.ts`. */
  readonly share: number;
  /** Dispatches that this proxy has under way on it, over all queues. */
  inFlight: number;
}

export interface Pool<E extends Endpoint> {
  /** Built when it is first asked for. */
  readonly ring: Ring;
  readonly hasRing: boolean;
  readonly endpoints: readonly E[];
  readonly weights: readonly number[];
  readonly weightTotal: number;
  /** Dispatches of this pool under way: each member's, and the sum. */
  readonly inFlight: Int32Array;
  inFlightTotal: number;
  /** Dispatches of this pool under way by the hash of their key. */
  readonly keysInFlight: KeyCounts;
  /** Scratch of the walk round the ring: members seen since `walk` was last raised. Counts past 2^32 in half a day. */
  readonly seen: Float64Array;
  walk: number;
}

/**
 * A hot key spills: once its worker holds more than `factor` times the mean in-flight of the lane (Mirrokni et al.
 * 2016), further jobs of that key go to the next candidate. Only a key that has jobs under way can be hot; any other
 * stays with its worker however full that is by chance. (Of 64 jobs spread evenly over 10 workers the fullest holds
 * 12, nearly twice the mean; passing that worker over would break stickiness for keys that did nothing.)
 */
export interface BoundedLoad {
  readonly factor: number;
  /** Below this many in flight a worker is never passed over: the mean of a few jobs says nothing about heat. */
  readonly floor: number;
}

export const BOUNDED_LOAD_DEFAULT: BoundedLoad = { factor: 1.25, floor: 8 };

const NO_KEY = -1;

export interface Choice<E extends Endpoint> {
  readonly pool: Pool<E>;
  readonly member: number;
  readonly endpoint: E;
  /** What the key is counted under; −1 for a choice without one. */
  readonly keyHash: number;
  /** The key's first usable worker was too busy, so the job spilled to a later one. */
  readonly spilled: boolean;
}

/** Whose connection failed earlier in the same dispatch. */
export type Tried = readonly Endpoint[];

export const NONE_TRIED: Tried = [];

export function createPool<E extends Endpoint>(endpoints: readonly E[]): Pool<E> {
  return new LanePool(endpoints);
}

class LanePool<E extends Endpoint> implements Pool<E> {
  readonly endpoints: readonly E[];
  readonly weights: readonly number[];
  readonly weightTotal: number;
  readonly inFlight: Int32Array;
  inFlightTotal = 0;
  readonly keysInFlight = new KeyCounts();
  readonly seen: Float64Array;
  walk = 0;
  #ring: Ring | undefined;

  constructor(endpoints: readonly E[]) {
    this.endpoints = endpoints;
    this.weights = endpoints.map(({ worker }) => effectiveWeight(worker));
    this.weightTotal = this.weights.reduce((sum, weight) => sum + weight, 0);
    this.inFlight = new Int32Array(endpoints.length);
    this.seen = new Float64Array(endpoints.length);
  }

  get hasRing(): boolean {
    return this.#ring !== undefined;
  }

  get ring(): Ring {
    return (this.#ring ??= createRing(
      this.endpoints.map(({ worker }, i) => ({ id: worker.id, weight: this.weights[i]! })),
    ));
  }
}

/** Whether a pool built earlier serves for these endpoints: same members, same weights, same order. */
export function holdsSame<E extends Endpoint>(pool: Pool<E>, endpoints: readonly E[]): boolean {
  return (
    pool.endpoints.length === endpoints.length &&
    endpoints.every((e, i) => e === pool.endpoints[i] && effectiveWeight(e.worker) === pool.weights[i])
  );
}

/** A dispatch begins on its choice. */
export function occupy({ pool, member, endpoint, keyHash }: Choice<Endpoint>): void {
  endpoint.inFlight++;
  pool.inFlight[member]!++;
  pool.inFlightTotal++;
  if (keyHash !== NO_KEY) pool.keysInFlight.add(keyHash);
}

/** The dispatch is over; once for each `occupy`. */
export function vacate({ pool, member, endpoint, keyHash }: Choice<Endpoint>): void {
  endpoint.inFlight--;
  pool.inFlight[member]!--;
  pool.inFlightTotal--;
  if (keyHash !== NO_KEY) pool.keysInFlight.remove(keyHash);
}

/**
 * `usable`: those that are. `ejected`: the others that the registry knows as well, for a lane that has nobody else.
 */
export type Reach = 'usable' | 'ejected';

/** Whether anybody could take the job, now or once it is less busy. */
export function hasAble(pool: Pool<Endpoint>, tried: Tried, reach: Reach): boolean {
  for (const endpoint of pool.endpoints) if (isAble(endpoint, tried, reach)) return true;
  return false;
}

function isAble(endpoint: Endpoint, tried: Tried, reach: Reach): boolean {
  if (!endpoint.usable && (reach !== 'ejected' || !endpoint.takesJobs)) return false;
  return tried.length === 0 || !tried.includes(endpoint);
}

function isOpen(endpoint: Endpoint, tried: Tried, reach: Reach): boolean {
  return isAble(endpoint, tried, reach) && !isFull(endpoint);
}

export function isFull({ worker, inFlight }: Endpoint): boolean {
  return worker.maxConcurrency !== undefined && inFlight >= worker.maxConcurrency;
}

/** The first worker that the key prefers, is open and, if the key is hot, holds less than its share of the bound. */
export function chooseByKey<E extends Endpoint>(
  pool: Pool<E>,
  key: KeyHash,
  bound: BoundedLoad,
  tried: Tried,
  reach: Reach = 'usable',
): Choice<E> | undefined {
  const { ring } = pool;
  if (ring.size === 0) return undefined;
  // 31 bits: a small integer to the engine, and two keys under way hardly ever share one.
  const keyHash = key >>> 1;
  const start = findPoint(ring, key);
  if (!pool.keysInFlight.has(keyHash)) {
    // Nearly always the first one will do.
    const member = ring.owners[start]!;
    const endpoint = pool.endpoints[member]!;
    if (endpoint.share === 1 && isOpen(endpoint, tried, reach))
      return { pool, member, endpoint, keyHash, spilled: false };
    return walkFrom(pool, start, keyHash, UNBOUNDED, 1, tried, reach);
  }
  // The mean over all members is the cheap one, and never above the mean over the open ones: whom the key prefers
  // and it lets pass is the choice. Before the job spills, count without the workers that are out.
  const preferred = walkFrom(pool, start, keyHash, bound, pool.weightTotal, tried, reach);
  return preferred?.spilled === false
    ? preferred
    : walkFrom(pool, start, keyHash, bound, openWeight(pool, tried, reach), tried, reach);
}

const UNBOUNDED: BoundedLoad = { factor: 0, floor: Infinity };

function walkFrom<E extends Endpoint>(
  pool: Pool<E>,
  start: number,
  keyHash: number,
  bound: BoundedLoad,
  weightTotal: number,
  tried: Tried,
  reach: Reach,
): Choice<E> | undefined {
  const { owners, size } = pool.ring;
  const walk = ++pool.walk;
  const perWeight = (bound.factor * (pool.inFlightTotal + 1)) / weightTotal;
  let spilled = false;
  /** Would take it, but for its slow start: it does where nobody else can. */
  let early = -1;
  for (let i = start, left = size; left > 0; i = i + 1 === owners.length ? 0 : i + 1) {
    const member = owners[i]!;
    if (pool.seen[member] === walk) continue;
    pool.seen[member] = walk;
    left--;
    const endpoint = pool.endpoints[member]!;
    if (!isAble(endpoint, tried, reach)) continue;
    const limit = Math.max(bound.floor, Math.ceil(perWeight * pool.weights[member]!));
    if (isFull(endpoint) || pool.inFlight[member]! >= limit) spilled = true;
    else if (endpoint.share === 1 || isAdmitted(keyHash, endpoint.share))
      return { pool, member, endpoint, keyHash, spilled };
    else if (early === -1) early = member;
  }
  return early === -1
    ? undefined
    : { pool, member: early, endpoint: pool.endpoints[early]!, keyHash, spilled };
}

function openWeight(pool: Pool<Endpoint>, tried: Tried, reach: Reach): number {
  let sum = 0;
  for (let m = 0; m < pool.endpoints.length; m++) {
    if (isOpen(pool.endpoints[m]!, tried, reach)) sum += pool.weights[m]!;
  }
  return sum;
}

/**
 * The less loaded of two random workers (Mitzenmacher 2001). Random places on the ring are random workers by weight.
 * @param random gives numbers in [0, 1)
 */
export function chooseByLoad<E extends Endpoint>(
  pool: Pool<E>,
  random: () => number,
  tried: Tried,
  reach: Reach = 'usable',
): Choice<E> | undefined {
  const { ring, endpoints } = pool;
  if (ring.size === 0) return undefined;
  let first = nextOpen(pool, random, -1, tried, reach, true);
  if (first === -1) first = nextOpen(pool, random, -1, tried, reach, false);
  if (first === -1) return undefined;
  const second = nextOpen(pool, random, first, tried, reach, true);
  const member = second !== -1 && load(pool, second) < load(pool, first) ? second : first;
  return { pool, member, endpoint: endpoints[member]!, keyHash: NO_KEY, spilled: false };
}

function load(pool: Pool<Endpoint>, member: number): number {
  return pool.endpoints[member]!.inFlight / pool.weights[member]!;
}

/**
 * The first open worker other than `not` from a random point on, or −1.
 * @param sparing passes over one that ramps up, as often as its share says
 */
function nextOpen(
  pool: Pool<Endpoint>,
  random: () => number,
  not: number,
  tried: Tried,
  reach: Reach,
  sparing: boolean,
): number {
  const { owners, size } = pool.ring;
  const start = Math.floor(random() * owners.length);
  const walk = ++pool.walk;
  for (let i = start, left = size; left > 0; i = i + 1 === owners.length ? 0 : i + 1) {
    const member = owners[i]!;
    if (pool.seen[member] === walk) continue;
    pool.seen[member] = walk;
    left--;
    const endpoint = pool.endpoints[member]!;
    if (member === not || !isOpen(endpoint, tried, reach)) continue;
    if (!sparing || endpoint.share === 1 || random() < endpoint.share) return member;
  }
  return -1;
}
