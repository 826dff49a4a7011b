import type { CompiledRoute, Placement } from '../../src/core/decide.ts';
import type { KeyHash } from '../../src/core/hash.ts';
import type { Lane } from '../../src/core/lane.ts';
import { chooseByKey, chooseByLoad, type Endpoint, type Pool, type Tried } from '../../src/core/pool.ts';

/**
 * Where a job of a lane goes. The order of preference is that of hash_ring (`placeInLane`): the lane's own workers, then
 * stable's, then those of superseded versions. Two things differ, since the job waits in a store and not on a connection:
 * - It waits for a worker of the best pool in which anybody is usable, rather than go to a worse one while that is full.
 * - A pool may belong to others: to workers without a url, which read the lane themselves, or in a sidecar to the
 *   workers beside other sidecars. Then the job is left to them.
 */
export interface WorkersView<E extends Endpoint> {
  /** This proxy dispatches to it. */
  readonly isOwn: (endpoint: E) => boolean;
  /** It has not just refused a connection. */
  readonly isReachable: (endpoint: E) => boolean;
  readonly hasRoom: (endpoint: E) => boolean;
}

export type Placing<E extends Endpoint> =
  | { readonly kind: 'placed'; readonly placement: Placement<E> }
  /** All who may have it are full. */
  | { readonly kind: 'busy'; readonly workers: readonly E[] }
  /** `isResting`: but for those that have just refused a connection. */
  | { readonly kind: 'nobody'; readonly isResting: boolean };

interface Rank<E extends Endpoint> {
  readonly pool: Pool<E>;
  readonly lane: Lane;
  readonly fallback: boolean;
}

/** @param tried whose connection failed in the same dispatch */
export function placeJob<E extends Endpoint>(
  route: CompiledRoute<E>,
  lane: Lane,
  key: KeyHash,
  random: () => number,
  view: WorkersView<E>,
  tried: Tried,
): Placing<E> {
  let isResting = false;
  for (const { pool, lane: goesTo, fallback } of ranksOf(route, lane)) {
    const mine: E[] = [];
    const shut: E[] = [];
    let isServed = false;
    for (const endpoint of pool.endpoints) {
      const isAble = endpoint.usable && !tried.includes(endpoint) && view.isReachable(endpoint);
      const isMine = isAble && view.isOwn(endpoint);
      isResting ||= endpoint.usable && !isAble && view.isOwn(endpoint);
      isServed ||= isAble || isSelfServing(endpoint);
      if (isMine) mine.push(endpoint);
      if (!isMine || !view.hasRoom(endpoint)) shut.push(endpoint);
    }
    if (mine.length > 0) {
      const choice = route.sticky
        ? chooseByKey(pool, key, route.boundedLoad, shut)
        : chooseByLoad(pool, random, shut);
      if (choice === undefined) return { kind: 'busy', workers: mine };
      return { kind: 'placed', placement: { ...choice, lane: goesTo, fallback } };
    }
    if (isServed) break;
  }
  return { kind: 'nobody', isResting };
}

/**
 * Whose jobs of a lane this proxy takes, by one route; by the registry alone, not by what may be over in a second.
 * @returns empty if the lane is somebody else's
 */
export function takersOf<E extends Endpoint>(
  route: CompiledRoute<E>,
  lane: Lane,
  isOwn: (endpoint: E) => boolean,
): readonly E[] {
  for (const { pool } of ranksOf(route, lane)) {
    const mine = pool.endpoints.filter((endpoint) => endpoint.takesJobs && isOwn(endpoint));
    if (mine.length > 0) return mine;
    if (pool.endpoints.some((endpoint) => endpoint.takesJobs || isSelfServing(endpoint))) return [];
  }
  return [];
}

function ranksOf<E extends Endpoint>(route: CompiledRoute<E>, lane: Lane): readonly Rank<E>[] {
  const { canary, stable, reserve, fallsBack, deploymentId } = route;
  const better: Rank<E> = { pool: stable, lane: 'stable', fallback: false };
  const lastResort: Rank<E> = { pool: reserve, lane: 'stable', fallback: true };
  if (lane === 'stable') return [better, lastResort];
  const meant: Rank<E> = { pool: canary, lane: 'canary', fallback: false };
  if (!fallsBack) return [meant];
  // What a deployment that has ended left in its lane is stable's, and stable is where it is meant to go.
  return [meant, { ...better, fallback: deploymentId !== undefined }, lastResort];
}

/** It has no url, so it reads the lane itself. */
function isSelfServing({ worker }: Endpoint): boolean {
  return worker.url === undefined && (worker.status === 'healthy' || worker.status === 'degraded');
}
