import { v7 as uuid } from 'uuid';
import type { RouteUpdate } from '../../../core/routing-table.ts';
import type { Logger } from '../../log.ts';
import type { DamagedRecords } from '../damaged-records.ts';
import { damaged, routedWorkerRecord } from '../records.ts';
import { decodeUpdate } from '../route-message.ts';
import type { ProxyReport, RouteHead, RouteStore } from '../store.ts';
import type { RedisConnection } from './connection.ts';
import { decodeRoute } from './deployments.ts';
import { channelsOf, KEYS } from './keys.ts';
import { countOf, pairsOf, textOf, textsOf } from './replies.ts';
import { readSnapshotOf } from '../read-snapshot.ts';

const HEAD_KEYS = [KEYS.epoch, KEYS.server, KEYS.revision, KEYS.routes];
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
