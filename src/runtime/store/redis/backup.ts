import { v7 as uuid } from 'uuid';
import { isEnded } from '../../../core/deployment-states.ts';
import { scopeKey } from '../../../core/route.ts';
import { toRoutedWorker } from '../../../core/worker.ts';
import type { BackupStore } from '../backup-store.ts';
import { deploymentRecord, eventRecord, routedWorkerRecord, routeRecord, workerRecord } from '../records.ts';
import type { RedisConnection } from './connection.ts';
import { channelsOf, eventsKey, KEYS } from './keys.ts';

const SCRIPT_KEYS = [
  KEYS.epoch,
  KEYS.server,
  KEYS.revision,
  KEYS.routes,
  KEYS.deployments,
  KEYS.order,
  KEYS.sequence,
  KEYS.open,
  KEYS.workers,
  KEYS.routing,
  KEYS.seeded,
  KEYS.serving,
];

export function createBackup(connection: RedisConnection): Pick<BackupStore, 'restore'> {
  return {
    async restore({ revision, deployments, routes, workers }) {
      const args = [uuid(), channelsOf(connection.db).routes, String(revision), String(deployments.length)];
      for (const { deployment, events } of deployments) {
        const { id, version, queue, tenant, status } = deployment;
        const scope = scopeKey(queue, tenant);
        args.push(id, `${version} ${status} ${scope} ${deploymentRecord.encode(deployment)}`);
        args.push(isEnded(status) ? '' : scope, eventsKey(id), String(events.length));
        args.push(...events.toReversed().map((event) => eventRecord.encode(event)));
      }
      args.push(String(routes.length));
      for (const route of routes) {
        args.push(scopeKey(route.queue, route.tenant), `${route.revision} ${routeRecord.encode(route)}`);
      }
      for (const worker of workers) {
        args.push(worker.id, `${worker.recordVersion} ${workerRecord.encode(worker)}`);
        args.push(routedWorkerRecord.encode(toRoutedWorker(worker)));
      }
      return (await connection.run('restore', SCRIPT_KEYS, args)) === 'restored';
    },
  };
}
