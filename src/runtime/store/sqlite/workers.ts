import { toRoutedWorker, type Worker } from '../../../core/worker.ts';
import type { DamagedRecords } from '../damaged-records.ts';
import { routedWorkerRecord, workerRecord } from '../records.ts';
import type { SaveResult, WorkerStore } from '../store.ts';
import { numberOf, textOf, type Database, type Row } from './database.ts';
import type { Revisions } from './revisions.ts';

const ALL = 'SELECT id, record FROM workers ORDER BY id';
const OF_QUEUE = `SELECT id, record FROM serving JOIN workers ON id = worker_id WHERE queue = ? ORDER BY worker_id`;

export function createWorkers(db: Database, revisions: Revisions, damage: DamagedRecords): WorkerStore {
  const readable = (rows: readonly Row[]): readonly Worker[] =>
    damage.readable(
      rows.map((row) => ({ name: `worker ${textOf(row, 'id')}`, decode: () => decodeWorker(row) })),
    );

  return {
    async saveWorker(worker, expectedVersion) {
      const routed = toRoutedWorker(worker);
      const routing = routedWorkerRecord.encode(routed);
      const { revision, moved } = db.transaction(() => {
        const stored = db.get('SELECT version, routing FROM workers WHERE id = ?', worker.id);
        if ((stored === undefined ? 0 : numberOf(stored, 'version')) !== expectedVersion) {
          return { revision: undefined, moved: false };
        }
        db.run(
          `INSERT INTO workers (id, version, routing, record) VALUES (?1, ?2, ?3, ?4)
           ON CONFLICT (id) DO UPDATE SET version = ?2, routing = ?3, record = ?4`,
          worker.id,
          worker.recordVersion,
          routing,
          workerRecord.encode(worker),
        );
        const changed = stored === undefined || textOf(stored, 'routing') !== routing;
        return { revision: changed ? revisions.next() : revisions.head().revision, moved: changed };
      });
      if (revision === undefined) return { kind: 'stale' };
      if (moved) revisions.publish(revision, { kind: 'worker', worker: routed });
      return { kind: 'saved', revision };
    },

    async removeWorker(id, expectedVersion): Promise<SaveResult> {
      const revision = db.transaction(() => {
        const stored = db.get('SELECT version FROM workers WHERE id = ?', id);
        if (stored === undefined || numberOf(stored, 'version') !== expectedVersion) return undefined;
        db.run('DELETE FROM workers WHERE id = ?', id);
        db.run('DELETE FROM worker_activity WHERE worker_id = ?', id);
        return revisions.next();
      });
      if (revision === undefined) return { kind: 'stale' };
      revisions.publish(revision, { kind: 'worker_removed', workerId: id });
      return { kind: 'saved', revision };
    },

    async getWorker(id) {
      const row = db.get('SELECT id, record FROM workers WHERE id = ?', id);
      return row === undefined ? undefined : decodeWorker(row);
    },

    async listWorkers({ queue } = {}) {
      return readable(queue === undefined ? db.all(ALL) : db.all(OF_QUEUE, queue));
    },

    async listServedQueues() {
      return db.all('SELECT DISTINCT queue FROM serving ORDER BY queue').map((row) => textOf(row, 'queue'));
    },

    async pageWorkers({ queue }, { offset, limit }) {
      const of = queue === undefined ? [] : [queue];
      const counted =
        queue === undefined
          ? db.get('SELECT count(*) AS n FROM workers')
          : db.get('SELECT count(*) AS n FROM serving WHERE queue = ?', queue);
      const sql = `${queue === undefined ? ALL : OF_QUEUE} LIMIT ? OFFSET ?`;
      return {
        total: numberOf(counted, 'n'),
        workers: readable(db.all(sql, ...of, Math.max(0, limit), offset)),
      };
    },
  };
}

function decodeWorker(row: Row): Worker {
  return workerRecord.decode(textOf(row, 'record'), `worker ${textOf(row, 'id')}`);
}
