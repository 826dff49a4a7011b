import type { Clock } from '../../../core/clock.ts';
import { fromFields, toFields } from '../telemetry-fields.ts';
import { BUCKET_MS, bucketsOf, TELEMETRY_WINDOW_MAX_MS, type TelemetryStore } from '../telemetry-store.ts';
import { numberOf, textOf, type Database } from './database.ts';

const ADD = `INSERT INTO telemetry (deployment_id, bucket, field, value) VALUES (?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET value = value + excluded.value`;
const KEEP_LARGER = `INSERT INTO telemetry (deployment_id, bucket, field, value) VALUES (?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET value = max(value, excluded.value)`;

export function createTelemetry(db: Database, clock: Clock): TelemetryStore {
  let sweptBucket = 0;
  const current = (): number => Math.floor(clock.now() / BUCKET_MS);
  return {
    async recordTelemetry(deploymentId, delta) {
      const bucket = current();
      const { sums, maxima } = toFields(delta);
      db.transaction(() => {
        for (const [field, value] of sums) db.run(ADD, deploymentId, bucket, field, value);
        for (const [field, value] of maxima) db.run(KEEP_LARGER, deploymentId, bucket, field, value);
        if (bucket === sweptBucket) return;
        sweptBucket = bucket;
        db.run('DELETE FROM telemetry WHERE bucket < ?', bucketsOf(bucket, TELEMETRY_WINDOW_MAX_MS, 0).after);
      });
    },

    async readTelemetry(deploymentId, windowMs, agoMs = 0) {
      const { after, last } = bucketsOf(current(), windowMs, agoMs);
      const rows = db.all(
        'SELECT field, value FROM telemetry WHERE deployment_id = ? AND bucket > ? AND bucket <= ?',
        deploymentId,
        after,
        last,
      );
      return fromFields([rows.map((row) => [textOf(row, 'field'), numberOf(row, 'value')] as const)]);
    },
  };
}
