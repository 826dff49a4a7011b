import { v7 as uuid } from 'uuid';
import { toRoutedWorker, type Worker } from '../../../core/worker.ts';
import type { DamagedRecords } from '../damaged-records.ts';
import { damaged, routedWorkerRecord, workerRecord } from '../records.ts';
import { encodeChange } from '../route-message.ts';
import type { WorkerFilter, WorkerPage, WorkerStore } from '../store.ts';
import type { RedisConnection } from './connection.ts';
import { channelsOf, KEYS } from './keys.ts';
import { countOf, jsonAfter, pairsOf, saveResultOf, textOf, textsOf } from './replies.ts';

const { epoch, server, revision, routes, workers, routing, serving, activity } = KEYS;
const SCRIPT_KEYS = [epoch, server, revision, routes, workers, routing, serving];

/** Named in one call, so that it does not hold up the server. */
const QUEUES_MAX = 500;

export function createWorkers(connection: RedisConnection, damage: DamagedRecords): WorkerStore {
  const channel = channelsOf(connection.db).routes;

  /** @param limit -1: all of them */
  const list = async ({ queue = '' }: WorkerFilter, offset: number, limit: number): Promise<WorkerPage> => {
    const reply = await connection.run(
      'listWorkers',
      [workers, routing, serving],
      [queue, String(offset), String(limit)],
    );
    if (!Array.isArray(reply)) throw damaged('list of workers', 'not a list');
    const [total, ...found]: readonly unknown[] = reply;
    return {
      total: countOf(textOf(total, 'number of workers'), 'number of workers'),
      workers: damage.readable(
        pairsOf(found, 'list of workers').map(([id, record]) => ({
          name: `worker ${id}`,
          decode: () => decodeWorker(id, record),
        })),
      ),
    };
  };

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
      return saveResultOf(await connection.run('removeWorker', [...SCRIPT_KEYS, activity], args));
    },

    async getWorker(id) {
      const record = await connection.call('HGET', workers, id);
      return record === null ? undefined : decodeWorker(id, textOf(record, `worker ${id}`));
    },

    listWorkers: async (filter = {}) => (await list(filter, 0, -1)).workers,

    async listServedQueues() {
      const queues: string[] = [];
      for (;;) {
        const args = [queues.at(-1) ?? '', String(QUEUES_MAX)];
        const more = textsOf(
          await connection.run('listServedQueues', [workers, routing, serving], args),
          'queues',
        );
        queues.push(...more);
        if (more.length < QUEUES_MAX) return queues;
      }
    },

    pageWorkers: (filter, { offset, limit }) => list(filter, offset, Math.max(0, limit)),
  };
}

function decodeWorker(id: string, record: string): Worker {
  const name = `worker ${id}`;
  return workerRecord.decode(jsonAfter(1, record, name), name);
}
