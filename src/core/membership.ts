import type { Lane } from './lane.ts';
import type { Route } from './route.ts';
import type { RoutedWorker } from './worker.ts';

/** The place of a worker in a scope: a lane, the last resort of the stable lane (`reserve`), or none. */
export type Membership = Lane | 'reserve' | 'none';

/**
 * Lane membership is by version, not by what a worker once said. Only a version that no decision of the scope has
 * named falls back on the lane it registered with.
 */
export function membershipOf(worker: RoutedWorker, route: Route | undefined): Membership {
  if (route === undefined) return worker.lane;
  const { version } = worker;
  if (version === route.split?.canaryVersion) return 'canary';
  if (version === route.stableVersion) return 'stable';
  if (route.rejected.includes(version)) return 'none';
  if (route.superseded.includes(version)) return 'reserve';
  return worker.lane;
}
