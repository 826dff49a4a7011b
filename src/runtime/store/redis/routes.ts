import { v7 as uuid } from 'uuid';
import { originOf } from '../../../core/epoch.ts';
import { scopeKey } from '../../../core/route.ts';
import type { RouteUpdate } from '../../../core/routing-table.ts';
import { NO_WORKER_METRICS, type Worker } from '../../../core/worker.ts';
import type { Logger } from '../../log.ts';
import type { DamagedRecords } from '../damaged-records.ts';
import { damaged, routedWorkerRecord, routeRecord, workerRecord } from '../records.ts';
import { decodeUpdate } from '../route-message.ts';
import type { ProxyReport, RouteHead, RouteStore } from '../store.ts';
import type { RedisConnection } from './connection.ts';
import { decodeRoute } from './deployments.ts';
import { channelsOf, KEYS } from './keys.ts';
import { countOf, pairsOf, textOf, textsOf } from './replies.ts';
import { readSnapshotOf } from '../read-snapshot.ts';

const HEAD_KEYS = [KEYS.epoch, KEYS.server, KEYS.revision, KEYS.routes];
const SEED_KEYS = [...HEAD_KEYS, KEYS.workers, KEYS.routing, KEYS.activity, KEYS.seeded, KEYS.serving];
const REPORT_KEYS = [KEYS.leases, KEYS.reports];

export function createRoutes(connection: RedisConnection, log: Logger, damage: DamagedRecords): RouteStore {
  const channels = channelsOf(connection.db);
  return {
    async readSnapshot() {
      const reply = await connection.run(
        'readSnapshot',
        [...HEAD_KEYS, KEYS.routing],
        [uuid(), channels.routes],
      );
      if (!Array.isArray(reply)) throw damaged('snapshot', 'not a list');
      const [epoch, revision, routes, workers]: readonly unknown[] = reply;
      return readSnapshotOf(
        headOf(epoch, revision),
        pairsOf(routes, 'routes').map(([scope, record]) => [scope, () => decodeRoute(scope, record)]),
        pairsOf(workers, 'workers').map(([id, json]) => [
          id,
          () => routedWorkerRecord.decode(json, `routing of worker ${id}`),
        ]),
        damage,
      );
    },

    async readHead() {
      const [epoch, revision] = textsOf(
        await connection.run('readHead', HEAD_KEYS, [uuid(), channels.routes]),
        'head',
      );
      return headOf(epoch, revision);
    },

    async seedRoutes({ epoch, revision, routes, workers }, now) {
      const args = [uuid(), channels.routes, originOf(epoch), String(revision), String(routes.length)];
      for (const route of routes) {
        args.push(scopeKey(route.queue, route.tenant), `${route.revision} ${routeRecord.encode(route)}`);
      }
      for (const worker of workers) {
        const times = { registeredAt: now, lastSeen: now };
        const record: Worker = { ...worker, recordVersion: 1, ...times, metrics: NO_WORKER_METRICS };
        args.push(
          worker.id,
          `1 ${workerRecord.encode(record)}`,
          routedWorkerRecord.encode(worker),
          worker.version,
        );
      }
      await connection.run('seed', SEED_KEYS, args);
    },

    subscribeRoutes(listener) {
      return connection.subscribe(channels.routes, {
        onUp: () => listener.onUp(),
        onDown: () => listener.onDown(),
        onMessage(message) {
          const update = readable(message, log);
          if (update !== undefined) listener.onUpdate(update);
        },
      });
    },

    async reportApplied({ proxyId, epoch, revision }, leaseMs) {
      const args = [channels.reports, proxyId, `${epoch} ${revision}`, String(Math.ceil(leaseMs))];
      await connection.run('reportApplied', REPORT_KEYS, args);
    },

    async withdrawReport(proxyId) {
      await connection.run('withdrawReport', REPORT_KEYS, [proxyId]);
    },

    async listReports() {
      const reply = await connection.run('listReports', REPORT_KEYS, []);
      return damage.readable(
        pairsOf(reply, 'reports').map(([proxyId, report]) => ({
          name: `report of ${proxyId}`,
          decode: () => reportOf(proxyId, report),
        })),
      );
    },

    subscribeReports: (onReport) => connection.subscribe(channels.reports, { onMessage: () => onReport() }),
  };
}

/** One that can't be read leaves a gap in the revisions, which makes the follower read the snapshot. */
function readable(message: string, log: Logger): RouteUpdate | undefined {
  try {
    return decodeUpdate(message);
  } catch (error) {
    log.warn({ err: error }, 'an unreadable route update was ignored');
    return undefined;
  }
}

function headOf(epoch: unknown, revision: unknown): RouteHead {
  return { epoch: textOf(epoch, 'epoch'), revision: countOf(textOf(revision, 'revision'), 'revision') };
}

function reportOf(proxyId: string, report: string): ProxyReport {
  const [epoch, revision] = report.split(' ');
  return { proxyId, ...headOf(epoch, revision) };
}
