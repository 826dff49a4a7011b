import type { RoutingStrategy } from './deployment.ts';
import { laneAt, lanePosition, randomPosition, type Lane } from './lane.ts';
import {
  chooseByKey,
  chooseByLoad,
  NONE_TRIED,
  type BoundedLoad,
  type Choice,
  type Endpoint,
  type Pool,
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
  readonly sticky: boolean;
  readonly seed: number;
  readonly threshold: number;
  /** A canary job may go to stable when nobody is home. */
  readonly fallsBack: boolean;
  /** The open deployment. */
  readonly deploymentId: string | undefined;
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

/** @param key the sticky key, or the job id where there is none */
export function chooseLane(route: CompiledRoute<Endpoint>, key: string, random: () => number): Lane {
  // The two ends need no hash; together they are nearly all routes nearly all of the time.
  if (route.threshold === 0) return 'stable';
  return laneAt(route.sticky ? lanePosition(key, route.seed) : randomPosition(random()), route.threshold);
}

/** @returns undefined if no usable worker is left in any lane that the job may go to */
export function placeInLane<E extends Endpoint>(
  route: CompiledRoute<E>,
  lane: Lane,
  key: string,
  random: () => number,
  tried: Tried = NONE_TRIED,
): Placement<E> | undefined {
  const choose = (pool: Pool<E>): Choice<E> | undefined =>
    route.sticky ? chooseByKey(pool, key, route.boundedLoad, tried) : chooseByLoad(pool, random, tried);

  if (lane === 'canary') {
    const choice = choose(route.canary);
    if (choice !== undefined) return placement(choice, 'canary', false);
    if (!route.fallsBack) return undefined;
  }
  const choice = choose(route.stable);
  if (choice !== undefined) return placement(choice, 'stable', lane === 'canary');
  const lastResort = choose(route.reserve);
  return lastResort && placement(lastResort, 'stable', true);
}

function placement<E extends Endpoint>(choice: Choice<E>, lane: Lane, fallback: boolean): Placement<E> {
  const { pool, member, endpoint, keyHash, spilled } = choice;
  return { pool, member, endpoint, keyHash, spilled, lane, fallback };
}

/**
 * Lane and worker for a job, in one step.
 * @returns undefined if no usable worker is left in any lane that the job may go to
 */
export function decide<E extends Endpoint>(
  route: CompiledRoute<E>,
  key: string,
  override: Lane | undefined,
  random: () => number,
  tried: Tried = NONE_TRIED,
): Placement<E> | undefined {
  return placeInLane(route, override ?? chooseLane(route, key, random), key, random, tried);
}
