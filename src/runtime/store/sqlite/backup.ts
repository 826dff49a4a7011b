import { isEnded } from '../../../core/deployment-states.ts';
import { scopeKey } from '../../../core/route.ts';
import { toRoutedWorker } from '../../../core/worker.ts';
import type { BackedUpDeployment, BackupStore } from '../backup-store.ts';
import { deploymentRecord, eventRecord, routedWorkerRecord, routeRecord, workerRecord } from '../records.ts';
import { numberOf, type Database } from './database.ts';
import type { Revisions } from './revisions.ts';

export function createBackup(db: Database, revisions: Revisions): Pick<BackupStore, 'restore'> {
  const isEmpty = (): boolean =>
    ['deployments', 'routes', 'workers'].every(
      (table) => numberOf(db.get(`SELECT count(*) AS n FROM ${table}`), 'n') === 0,
    );

  const insertDeployment = ({ deployment, events }: BackedUpDeployment): void => {
    const { id, version, queue, tenant, status } = deployment;
    db.run(
      `INSERT INTO deployments (id, version, scope, queue, tenant, status, open, record)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      id,
      version,
      scopeKey(queue, tenant),
      queue,
      tenant ?? null,
      status,
      isEnded(status) ? 0 : 1,
      deploymentRecord.encode(deployment),
    );
    for (const event of events.toReversed()) {
      db.run('INSERT INTO events (deployment_id, record) VALUES (?, ?)', id, eventRecord.encode(event));
    }
  };

  return {
    async restore({ revision, deployments, routes, workers }) {
      return db.transaction(() => {
        if (!isEmpty()) return false;
        for (const deployment of deployments) insertDeployment(deployment);
        for (const route of routes) {
          db.run(
            'INSERT INTO routes (scope, revision, record) VALUES (?, ?, ?)',
            scopeKey(route.queue, route.tenant),
            route.revision,
            routeRecord.encode(route),
          );
        }
        for (const worker of workers) {
          db.run(
            'INSERT INTO workers (id, version, routing, record) VALUES (?, ?, ?, ?)',
            worker.id,
            worker.recordVersion,
            routedWorkerRecord.encode(toRoutedWorker(worker)),
            workerRecord.encode(worker),
          );
        }
        revisions.raiseAbove(revision);
        return true;
      });
    },
  };
}
