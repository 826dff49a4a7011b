import { OperatorError } from '../runtime/operator-error.ts';
import { parseBackup, printBackup } from '../runtime/store/backup-file.ts';
import type { Store } from '../runtime/store/store.ts';
import { takeBackup } from '../runtime/store/take-backup.ts';
import type { Host } from './host.ts';
import { openStore } from './open-store.ts';
import type { Settings } from './settings.ts';

/** `lanewise export` and `lanewise import`: straight from and to the store, so that no control plane need run. */

export async function runExport(host: Host, settings: Settings, now: Date): Promise<void> {
  await withStore(settings, async (store) => {
    host.print(printBackup(await takeBackup(store), now).trimEnd());
  });
}

/** @throws OperatorError if the file is no whole backup, or the store holds something; then nothing was changed. */
export async function runImport(host: Host, settings: Settings, path: string): Promise<void> {
  const backup = parseBackup(readBackup(host, path));
  await withStore(settings, async (store) => {
    if (!(await store.restore(backup))) {
      throw new OperatorError(
        'the store is not empty: it has deployments, routes or workers. Nothing was changed; import into an empty ' +
          'Redis database, or with LANEWISE_DATA_DIR set to a new directory',
      );
    }
  });
  const { deployments, workers } = backup;
  host.print(`Imported ${deployments.length} deployments with their events, and ${workers.length} workers.`);
}

async function withStore({ config, log }: Settings, work: (store: Store) => Promise<void>): Promise<void> {
  const store = await openStore(config, log);
  try {
    await store.ping();
    await work(store);
  } finally {
    await store.close();
  }
}

function readBackup(host: Host, path: string): string {
  try {
    return host.readFile(path);
  } catch (error) {
    throw new OperatorError(`can't read the backup ${path}: ${(error as Error).message}`);
  }
}
