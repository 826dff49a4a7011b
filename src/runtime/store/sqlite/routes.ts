import type { Clock } from '../../../core/clock.ts';
import { notify } from '../notify.ts';
import { routedWorkerRecord, routeRecord } from '../records.ts';
import type { ProxyReport, RouteStore } from '../store.ts';
import { textOf, type Database } from './database.ts';
import type { Revisions } from './revisions.ts';

interface LeasedReport extends ProxyReport {
  readonly expiresAt: number;
}

/** Reports stay in memory: the proxies of this process end when the store does. */
export function createRoutes(db: Database, revisions: Revisions, clock: Clock): RouteStore {
  const reports = new Map<string, LeasedReport>();
  const listeners = new Set<() => void>();
  return {
    async readSnapshot() {
      return db.transaction(() => ({
        ...revisions.head(),
        routes: db
          .all('SELECT scope, record FROM routes')
          .map((row) => routeRecord.decode(textOf(row, 'record'), `route ${textOf(row, 'scope')}`)),
        workers: db
          .all('SELECT id, routing FROM workers')
          .map((row) => routedWorkerRecord.decode(textOf(row, 'routing'), `worker ${textOf(row, 'id')}`)),
      }));
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
