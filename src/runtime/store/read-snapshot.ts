import type { Route } from '../../core/route.ts';
import type { RouteSnapshot } from '../../core/routing-table.ts';
import type { RoutedWorker } from '../../core/worker.ts';
import type { DamagedRecords } from './damaged-records.ts';
import type { RouteHead } from './store.ts';

type Entries<T> = readonly (readonly [key: string, decode: () => T])[];

/** A snapshot of what can be read; it names the rest, which its reader must not take for gone. */
export function readSnapshotOf(
  head: RouteHead,
  routes: Entries<Route>,
  workers: Entries<RoutedWorker>,
  damage: DamagedRecords,
): RouteSnapshot {
  const [readRoutes, scopes] = readAll(routes, 'route', damage);
  const [readWorkers, ids] = readAll(workers, 'routing of worker', damage);
  const unreadable = { scopes, workers: ids };
  return {
    ...head,
    routes: readRoutes,
    workers: readWorkers,
    ...(scopes.length + ids.length > 0 && { unreadable }),
  };
}

function readAll<T>(
  entries: Entries<T>,
  what: string,
  damage: DamagedRecords,
): readonly [read: readonly T[], unreadable: readonly string[]] {
  const unread = new Set(entries.map(([key]) => key));
  const read = damage.readable(
    entries.map(([key, decode]) => ({
      name: `${what} ${key}`,
      decode: () => {
        const value = decode();
        unread.delete(key);
        return value;
      },
    })),
  );
  return [read, [...unread]];
}
