import type { Backup } from './backup-store.ts';
import type { Store } from './store.ts';

type BackedUpStore = Pick<Store, 'readSnapshot' | 'listDeployments' | 'listEvents' | 'listWorkers'>;

/** Beyond that many, changes come faster than they can be read; what is read last is then nearly of one moment. */
const ATTEMPTS = 5;

/** Reads until two snapshots around it are the same: routes, deployments and workers of one revision. */
export async function takeBackup(store: BackedUpStore): Promise<Backup> {
  for (let attempt = 1; ; attempt++) {
    const before = await store.readSnapshot();
    const deployments = [];
    for (const deployment of (await store.listDeployments()).toReversed()) {
      deployments.push({ deployment, events: await store.listEvents(deployment.id) });
    }
    const workers = await store.listWorkers();
    const { epoch, revision, routes } = await store.readSnapshot();
    if (attempt === ATTEMPTS || (epoch === before.epoch && revision === before.revision)) {
      return { revision, deployments, routes, workers };
    }
  }
}
