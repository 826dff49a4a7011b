import type { Clock } from '../../../core/clock.ts';
import { notify } from '../notify.ts';
import type { DamagedRecords } from '../damaged-records.ts';
import { readSnapshotOf } from '../read-snapshot.ts';
import { routedWorkerRecord, routeRecord } from '../records.ts';
import type { ProxyReport, RouteStore } from '../store.ts';
import { textOf, type Database } from './database.ts';
import type { Revisions } from './revisions.ts';

interface LeasedReport extends ProxyReport {
  readonly expiresAt: number;
}

/** Reports stay in memory: the proxies of this process end when the store does. */
export function createRoutes(
  db: Database,
  revisions: Revisions,
  clock: Clock,
  damage: DamagedRecords,
): RouteStore {
  const reports = new Map<string, LeasedReport>();
  const listeners = new Set<() => void>();
  return {
    async readSnapshot() {
      const [head, routes, workers] = db.transaction(() => [
        revisions.head(),
        db.all('SELECT scope, record FROM routes'),
        db.all('SELECT id, routing FROM workers'),
      ]);
      return readSnapshotOf(
        head,
        routes.map((row) => {
          const scope = textOf(row, 'scope');
          return [scope, () => routeRecord.decode(textOf(row, 'record'), `route ${scope}`)];
        }),
        workers.map((row) => {
          const id = textOf(row, 'id');
          return [id, () => routedWorkerRecord.decode(textOf(row, 'routing'), `routing of worker ${id}`)];
        }),
        damage,
      );
    },

    readHead: async () => revisions.head(),

    subscribeRoutes: (listener) => revisions.subscribe(listener),

    async reportApplied({ proxyId, epoch, revision }, leaseMs) {
      reports.set(proxyId, { proxyId, epoch, revision, expiresAt: clock.monotonic() + leaseMs });
      for (const listener of listeners) listener();
    },

    async withdrawReport(proxyId) {
      reports.delete(proxyId);
    },

    async listReports() {
      const now = clock.monotonic();
      for (const [proxyId, { expiresAt }] of reports) if (expiresAt <= now) reports.delete(proxyId);
      return [...reports.values()].map(({ proxyId, epoch, revision }) => ({ proxyId, epoch, revision }));
    },

    subscribeReports(onReport) {
      let closed = false;
      const listener = (): void => {
        setImmediate(() => {
          if (!closed) notify(onReport);
        });
      };
      listeners.add(listener);
      return {
        async close() {
          closed = true;
          listeners.delete(listener);
        },
      };
    },
  };
}
