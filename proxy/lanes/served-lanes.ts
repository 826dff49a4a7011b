import type { RoutingStrategy } from '../../src/core/deployment.ts';
import type { LaneQueue } from '../../src/core/lane-keys.ts';
import type { Lane } from '../../src/core/lane.ts';
import type { Endpoint } from '../../src/core/pool.ts';
import type { CompiledQueue } from '../../src/core/routing-table.ts';
import { takersOf } from './placing.ts';

/**
 * Which lanes of a queue this proxy reads, and for whom.
 *
 * Tenants share the lanes of their queue, so a lane is read if anybody's route has workers for it. The canary's lane is
 * read for canary workers. Without any, while a deployment is open, its jobs stay for workers that may be about to
 * come, or that read it themselves; the control plane moves those that wait too long. Once no deployment is open, what
 * is left in it is stable's.
 */
export interface ServedLane<E extends Endpoint> {
  readonly queue: LaneQueue;
  readonly lane: Lane;
  readonly workers: readonly E[];
  /** Nothing is put there any more; a look every now and then will do. */
  readonly isLeftover: boolean;
}

export type LaneQueueOf = (queue: string, strategy: RoutingStrategy) => LaneQueue | undefined;

export function servedLanes<E extends Endpoint>(
  { route: queueRoute, tenants }: CompiledQueue<E>,
  laneQueueOf: LaneQueueOf,
  isOwn: (endpoint: E) => boolean,
): readonly ServedLane<E>[] {
  const byStrategy = Map.groupBy([queueRoute, ...tenants.values()], ({ strategy }) => strategy);
  return [...byStrategy].flatMap(([strategy, routes]) => {
    const queue = laneQueueOf(queueRoute.queue, strategy);
    if (queue === undefined) return [];
    const stable = union(routes.map((route) => takersOf(route, 'stable', isOwn)));
    const canary = union(
      routes.map((route) => route.canary.endpoints.filter((e) => e.takesJobs && isOwn(e))),
    );
    const isOpen = routes.some(({ deploymentId }) => deploymentId !== undefined);
    const isLeftover = canary.length === 0 && !isOpen;
    const heirs = isLeftover ? union(routes.map((route) => takersOf(route, 'canary', isOwn))) : canary;
    const lanes: ServedLane<E>[] = [
      { queue, lane: 'stable', workers: stable, isLeftover: false },
      { queue, lane: 'canary', workers: heirs, isLeftover },
    ];
    return lanes.filter(({ workers }) => workers.length > 0);
  });
}

function union<E>(lists: readonly (readonly E[])[]): readonly E[] {
  return [...new Set(lists.flat())];
}
