import { OperatorError } from '../operator-error.ts';
import type { Backup } from './backup-store.ts';
import type { Store } from './store.ts';

type BackedUpStore = Pick<
  Store,
  'readHead' | 'readSnapshot' | 'damagedRecords' | 'listDeployments' | 'listEvents' | 'listWorkers'
>;

/** What must be of one moment is read in a few calls, so that even a busy store stands still for long enough. */
const ATTEMPTS = 50;

/**
 * Routes, deployments and workers of one revision: reads until the snapshots before and after are the same. Events come
 * last; those of changes that came meanwhile may be among them.
 * @throws OperatorError if records are damaged: a backup without them would be taken for the whole; or if the store
 *   never stood still
 */
export async function takeBackup(store: BackedUpStore): Promise<Backup> {
  const { deployments, ...rest } = await readOneMoment(store);
  const withEvents = [];
  for (const deployment of deployments.toReversed()) {
    withEvents.push({ deployment, events: await store.listEvents(deployment.id) });
  }
  refuseDamage(store.damagedRecords());
  return { ...rest, deployments: withEvents };
}

async function readOneMoment(store: BackedUpStore) {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const before = await store.readHead();
    const [deployments, workers] = await Promise.all([store.listDeployments(), store.listWorkers()]);
    const { epoch, revision, routes } = await store.readSnapshot();
    if (epoch === before.epoch && revision === before.revision) {
      return { revision, deployments, routes, workers };
    }
  }
  throw new OperatorError(
    `the store changed during each of ${ATTEMPTS} attempts to read it: stop the control planes for a moment, or try again`,
  );
}

function refuseDamage(damaged: readonly string[]): void {
  if (damaged.length === 0) return;
  throw new OperatorError(
    `there is no backup of a store with damaged records: repair or delete them first\n  ${damaged.join('\n  ')}`,
  );
}
