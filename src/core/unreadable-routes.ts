import { scopeKey } from './route.ts';
import type { RouteSnapshot } from './routing-table.ts';

/**
 * A snapshot of which parts can't be read, made whole with what was known before: the routes of one queue that are
 * damaged must not keep the changes of all others from a proxy. A worker that can't be read and was not known is left
 * out, as if it were not there.
 * @returns undefined if a route can't be read that was not known: to do without it could send jobs to versions that
 *   have been replaced or rolled back
 */
export function withKnown(snapshot: RouteSnapshot, known: RouteSnapshot): RouteSnapshot | undefined {
  const { unreadable, ...read } = snapshot;
  if (unreadable === undefined) return snapshot;
  const scopes = new Set(unreadable.scopes);
  const ids = new Set(unreadable.workers);
  const routes = known.routes.filter(({ queue, tenant }) => scopes.has(scopeKey(queue, tenant)));
  if (routes.length < scopes.size) return undefined;
  const workers = known.workers.filter(({ id }) => ids.has(id));
  return { ...read, routes: [...read.routes, ...routes], workers: [...read.workers, ...workers] };
}
