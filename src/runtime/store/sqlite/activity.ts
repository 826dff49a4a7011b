import type { Clock } from '../../../core/clock.ts';
import type { ActivityStore } from '../activity-store.ts';
import { numberOf, textOf, type Database } from './database.ts';

const ADD = `INSERT INTO worker_activity
    (worker_id, version, processed, succeeded, failed, total_ms, last_job_at, last_seen)
  SELECT ?1, ?2, ?3, ?4, ?5, ?6, iif(?3 > 0, ?7, 0), ?7 WHERE EXISTS (SELECT 1 FROM workers WHERE id = ?1)
  ON CONFLICT (worker_id) DO UPDATE SET
    processed = excluded.processed + iif(version = excluded.version, processed, 0),
    succeeded = excluded.succeeded + iif(version = excluded.version, succeeded, 0),
    failed = excluded.failed + iif(version = excluded.version, failed, 0),
    total_ms = excluded.total_ms + iif(version = excluded.version, total_ms, 0),
    last_job_at = max(excluded.last_job_at, iif(version = excluded.version, last_job_at, 0)),
    last_seen = excluded.last_seen,
    version = excluded.version`;

const SOME = 'SELECT * FROM worker_activity WHERE worker_id IN (SELECT value FROM json_each(?))';

export function createActivity(db: Database, clock: Clock): ActivityStore {
  return {
    async noteActivity(sightings) {
      const now = clock.now();
      db.transaction(() => {
        for (const { workerId, version, processed, succeeded, failed, totalMs } of sightings) {
          db.run(ADD, workerId, version, processed, succeeded, failed, totalMs, now);
        }
      });
    },

    async listActivity(ids) {
      const rows =
        ids === undefined ? db.all('SELECT * FROM worker_activity') : db.all(SOME, JSON.stringify(ids));
      return new Map(
        rows.map((row) => {
          const lastJobAt = numberOf(row, 'last_job_at');
          const activity = {
            version: textOf(row, 'version'),
            processed: numberOf(row, 'processed'),
            succeeded: numberOf(row, 'succeeded'),
            failed: numberOf(row, 'failed'),
            totalMs: numberOf(row, 'total_ms'),
            lastJobAt: lastJobAt === 0 ? null : lastJobAt,
            lastSeen: numberOf(row, 'last_seen'),
          };
          return [textOf(row, 'worker_id'), activity];
        }),
      );
    },
  };
}
