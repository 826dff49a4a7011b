import type { RoutingStrategy } from './deployment.ts';
import type { KeyHash } from './hash.ts';
import { laneAt, lanePosition, randomPosition, type Lane } from './lane.ts';
import {
  chooseByKey,
  chooseByLoad,
  hasAble,
  NONE_TRIED,
  type BoundedLoad,
  type Choice,
  type Endpoint,
  type Pool,
  type Reach,
  type Tried,
} from './pool.ts';

/**
 * The decision of one dispatch: which lane, which worker. Everything that can be known before a job comes (seed,
 * threshold, pools) is in the compiled route; what is left is two hashes and a look at the load.
 */
export interface CompiledRoute<E extends Endpoint> {
  readonly queue: string;
  /** The scope's tenant; a job's tenant without a route of its own follows the queue's. */
  readonly tenant: string | undefined;
  readonly strategy: RoutingStrategy;
  readonly percentage: number;
  /** By its latest deployment; empty where none named one. */
  readonly versions: Readonly<Record<Lane, string>>;
  readonly sticky: boolean;
  readonly seed: number;
  readonly threshold: number;
  /** A canary job may go to stable when nobody is home. */
  readonly fallsBack: boolean;
  /** A job that failed on the canary is tried once on stable. */
  readonly retriesOnStable: boolean;
  /** The open deployment. */
  readonly deploymentId: string | undefined;
  /** Of the open deployment's steps, the one that these jobs count for. */
  readonly step: number;
  /** Whether their distinct keys are counted. */
  readonly countsKeys: boolean;
  readonly boundedLoad: BoundedLoad;
  readonly canary: Pool<E>;
  readonly stable: Pool<E>;
  /** Workers of superseded versions: the last resort. */
  readonly reserve: Pool<E>;
}

export interface Placement<E extends Endpoint> extends Choice<E> {
  /** The lane that the job goes to. */
  readonly lane: Lane;
  /** It was meant for another lane, or for a better version of this one, where nobody is home. */
  readonly fallback: boolean;
}

/** @param key of the sticky key, or the job id where there is none */
export function chooseLane(route: CompiledRoute<Endpoint>, key: KeyHash, random: () => number): Lane {
  // The two ends need no hash; together they are nearly all routes nearly all of the time.
  if (route.threshold === 0) return 'stable';
  return laneAt(route.sticky ? lanePosition(key, route.seed) : randomPosition(random()), route.threshold);
}

/**
 * The lane alone, for a job that waits in it. Without an open deployment there is no canary, whoever asks for it: what
 * was put there would wait for workers that may never come.
 */
export function decideLane(
  route: CompiledRoute<Endpoint>,
  key: KeyHash,
  override: Lane | undefined,
  random: () => number,
): Lane {
  return route.deploymentId === undefined ? 'stable' : (override ?? chooseLane(route, key, random));
}

/**
 * A worker of the first pool in which anybody is able. While those are all busy the job has to wait, rather than go to a
 * worse one: what a full canary has no room for would otherwise load stable, where the judge does not see it.
 * @returns undefined if nobody is able in any lane that the job may go to, or they are busy: see `awaitedPool`
 */
export function placeInLane<E extends Endpoint>(
  route: CompiledRoute<E>,
  lane: Lane,
  key: KeyHash,
  random: () => number,
  tried: Tried = NONE_TRIED,
): Placement<E> | undefined {
  if (lane === 'canary') {
    const choice = chooseIn(route, route.canary, key, random, tried);
    if (choice !== undefined) return placement(choice, 'canary', false);
    if (!route.fallsBack || hasAble(route.canary, tried, 'ejected')) return undefined;
  }
  const choice = chooseIn(route, route.stable, key, random, tried);
  if (choice !== undefined) return placement(choice, 'stable', lane === 'canary');
  if (hasAble(route.stable, tried, 'ejected')) return undefined;
  const lastResort = chooseIn(route, route.reserve, key, random, tried);
  return lastResort && placement(lastResort, 'stable', true);
}

/**
 * Ejected workers are chosen where the pool has nobody else: it may have lost the others since. Sent elsewhere, their
 * jobs would fail where the judge does not see it.
 */
function chooseIn<E extends Endpoint>(
  route: CompiledRoute<E>,
  pool: Pool<E>,
  key: KeyHash,
  random: () => number,
  tried: Tried,
): Choice<E> | undefined {
  const choice = choose(route, pool, key, random, tried, 'usable');
  if (choice !== undefined || hasAble(pool, tried, 'usable')) return choice;
  return choose(route, pool, key, random, tried, 'ejected');
}

function choose<E extends Endpoint>(
  { sticky, boundedLoad }: CompiledRoute<E>,
  pool: Pool<E>,
  key: KeyHash,
  random: () => number,
  tried: Tried,
  reach: Reach,
): Choice<E> | undefined {
  return sticky
    ? chooseByKey(pool, key, boundedLoad, tried, reach)
    : chooseByLoad(pool, random, tried, reach);
}

/** Where a job that found no place may have one later; undefined if nobody could take it. */
export function awaitedPool<E extends Endpoint>(
  { canary, stable, reserve, fallsBack }: CompiledRoute<E>,
  lane: Lane,
  tried: Tried,
): Pool<E> | undefined {
  if (lane === 'canary') {
    if (hasAble(canary, tried, 'ejected')) return canary;
    if (!fallsBack) return undefined;
  }
  return [stable, reserve].find((pool) => hasAble(pool, tried, 'ejected'));
}

function placement<E extends Endpoint>(choice: Choice<E>, lane: Lane, fallback: boolean): Placement<E> {
  const { pool, member, endpoint, keyHash, spilled } = choice;
  return { pool, member, endpoint, keyHash, spilled, lane, fallback };
}

/** Lane and worker for a job, in one step. @returns as `placeInLane` */
export function decide<E extends Endpoint>(
  route: CompiledRoute<E>,
  key: KeyHash,
  override: Lane | undefined,
  random: () => number,
  tried: Tried = NONE_TRIED,
): Placement<E> | undefined {
  return placeInLane(route, override ?? chooseLane(route, key, random), key, random, tried);
}
