import { originOf } from '../src/core/epoch.ts';
import type { RouteSnapshot } from '../src/core/routing-table.ts';
import type { RouteStore } from '../src/runtime/store/store.ts';

/**
 * A store that has lost everything is given back what is remembered of it, before anything in it is followed: the first
 * worker that registers would else get all jobs, whatever its version.
 * @param remembered of a store that was followed; undefined where routes come from the disk alone: they may be of another
 * @returns the snapshot as it is then
 */
export async function readOrGiveBack(
  store: Pick<RouteStore, 'readSnapshot' | 'seedRoutes'>,
  remembered: RouteSnapshot | undefined,
  { now, onLost }: { readonly now: () => number; readonly onLost: (epoch: string) => void },
): Promise<RouteSnapshot> {
  const snapshot = await store.readSnapshot();
  if (remembered === undefined || store.seedRoutes === undefined) return snapshot;
  if (originOf(snapshot.epoch) === originOf(remembered.epoch)) return snapshot;
  onLost(snapshot.epoch);
  await store.seedRoutes(remembered, now());
  return store.readSnapshot();
}
