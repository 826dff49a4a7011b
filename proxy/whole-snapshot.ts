import { LanewiseError } from '../src/core/errors.ts';
import type { RouteSnapshot } from '../src/core/routing-table.ts';
import { withKnown } from '../src/core/unreadable-routes.ts';
import type { RouteStore } from '../src/runtime/store/store.ts';

/**
 * The store's snapshot, and in place of what can't be read of it what is known.
 * @throws LanewiseError INTERNAL if a route can't be read and is not known; and what the store throws
 */
export async function readWholeSnapshot(
  store: Pick<RouteStore, 'readSnapshot'>,
  known: () => RouteSnapshot,
): Promise<{ readonly snapshot: RouteSnapshot; readonly isPartial: boolean }> {
  const read = await store.readSnapshot();
  if (read.unreadable === undefined) return { snapshot: read, isPartial: false };
  const snapshot = withKnown(read, known());
  if (snapshot !== undefined) return { snapshot, isPartial: true };
  const scopes = read.unreadable.scopes.join(', ');
  throw new LanewiseError('INTERNAL', `routes are damaged, and not known from before: ${scopes}`);
}
