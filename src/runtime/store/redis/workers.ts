import { v7 as uuid } from 'uuid';
import { toRoutedWorker, type Worker } from '../../../core/worker.ts';
import type { DamagedRecords } from '../damaged-records.ts';
import { routedWorkerRecord, workerRecord } from '../records.ts';
import { encodeChange } from '../route-message.ts';
import type { WorkerStore } from '../store.ts';
import type { RedisConnection } from './connection.ts';
import { channelsOf, KEYS } from './keys.ts';
import { jsonAfter, pairsOf, saveResultOf, textOf } from './replies.ts';

const SCRIPT_KEYS = [KEYS.epoch, KEYS.server, KEYS.revision, KEYS.routes, KEYS.workers, KEYS.routing];

export function createWorkers(connection: RedisConnection, damage: DamagedRecords): WorkerStore {
  const channel = channelsOf(connection.db).routes;
  return {
    async saveWorker(worker, expectedVersion) {
      const reply = await connection.run('saveWorker', SCRIPT_KEYS, [
        uuid(),
        channel,
        worker.id,
        String(expectedVersion),
        String(worker.recordVersion),
        workerRecord.encode(worker),
        routedWorkerRecord.encode(toRoutedWorker(worker)),
      ]);
      return saveResultOf(reply);
    },

    async removeWorker(id, expectedVersion) {
      const change = encodeChange({ kind: 'worker_removed', workerId: id });
      const args = [uuid(), channel, id, String(expectedVersion), change];
      return saveResultOf(await connection.run('removeWorker', [...SCRIPT_KEYS, KEYS.activity], args));
    },

    async getWorker(id) {
      const record = await connection.call('HGET', KEYS.workers, id);
      return record === null ? undefined : decodeWorker(id, textOf(record, `worker ${id}`));
    },

    async listWorkers() {
      const records = pairsOf(await connection.call('HGETALL', KEYS.workers), 'list of workers');
      const byId = records.toSorted(([a], [b]) => (a < b ? -1 : 1));
      return damage.readable(
        byId.map(([id, record]) => ({ name: `worker ${id}`, decode: () => decodeWorker(id, record) })),
      );
    },
  };
}

function decodeWorker(id: string, record: string): Worker {
  const name = `worker ${id}`;
  return workerRecord.decode(jsonAfter(1, record, name), name);
}
