import type { LaneQueue } from '../src/core/lane-keys.ts';
import type { LaneStore } from '../src/runtime/store/lane-store.ts';
import type { RouteHead } from '../src/runtime/store/store.ts';

/** Whoever puts jobs into lanes and was told that its routes are stale. */
export interface CatchUpContext {
  readonly store: Pick<LaneStore, 'fenceQueue'>;
  readonly routes: { readonly table: RouteHead };
  /** See `RouteFollower.refresh`. */
  readonly refreshRoutes: () => Promise<boolean>;
}

/** Reads the routes that the fence tells of. */
export async function catchUp(
  { store, routes, refreshRoutes }: CatchUpContext,
  queue: LaneQueue,
  routedBy: RouteHead,
  tenants: Iterable<string | undefined>,
): Promise<void> {
  const isCurrent = await refreshRoutes();
  const { epoch, revision } = routes.table;
  if (!isCurrent || epoch !== routedBy.epoch || revision !== routedBy.revision) return;
  // These are the store's routes, and yet a fence stands against them: it is of an epoch that the store has left,
  // whose id sorts later since clocks differed. See `isFencedOff`.
  for (const tenant of new Set([undefined, ...tenants]))
    await store.fenceQueue(queue, tenant, routedBy).catch(() => {});
}
