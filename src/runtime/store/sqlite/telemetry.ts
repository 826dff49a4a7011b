import type { Clock } from '../../../core/clock.ts';
import type { LanesTotals } from '../../../core/lane-totals.ts';
import type { JudgeStore } from '../judge-store.ts';
import { fromFields, toFields } from '../telemetry-fields.ts';
import {
  BUCKET_MS,
  bucketsOf,
  STEP_KEPT_MS,
  TELEMETRY_WINDOW_MAX_MS,
  type TelemetryStore,
} from '../telemetry-store.ts';
import { numberOf, textOf, type Database, type Row } from './database.ts';

const INTO_BUCKET = 'INSERT INTO telemetry (deployment_id, bucket, field, value) VALUES (?, ?, ?, ?)';
const INTO_STEP = 'INSERT INTO step_totals (deployment_id, step, field, value) VALUES (?, ?, ?, ?)';
const ADD = 'ON CONFLICT DO UPDATE SET value = value + excluded.value';
const KEEP_LARGER = 'ON CONFLICT DO UPDATE SET value = max(value, excluded.value)';

/** For names see `telemetry-fields.ts`. REAL, since microseconds may add up to more than a safe integer. */
const WINDOW = `
  SELECT field, CAST(iif(substr(field, 3, 1) IN ('m', 'k'), max(value), sum(value)) AS REAL) AS value
  FROM telemetry WHERE deployment_id = ? AND bucket > ? AND bucket <= ? GROUP BY field`;
const STEP = `
  SELECT field, CAST(value AS REAL) AS value FROM step_totals WHERE deployment_id = ? AND step = ?`;

export function createTelemetry(db: Database, clock: Clock): TelemetryStore & Pick<JudgeStore, 'readStep'> {
  let sweptBucket = 0;
  const current = (): number => Math.floor(clock.now() / BUCKET_MS);

  const sweep = (bucket: number): void => {
    db.run('DELETE FROM telemetry WHERE bucket < ?', bucketsOf(bucket, TELEMETRY_WINDOW_MAX_MS, 0).after);
    const firstStep = bucket - STEP_KEPT_MS / BUCKET_MS;
    db.run(
      `DELETE FROM step_totals WHERE (deployment_id, step) IN
         (SELECT deployment_id, step FROM steps WHERE last_bucket < ?)`,
      firstStep,
    );
    db.run('DELETE FROM steps WHERE last_bucket < ?', firstStep);
  };

  return {
    async recordTelemetry(deploymentId, step, delta) {
      const bucket = current();
      const { sums, maxima } = toFields(delta);
      db.transaction(() => {
        for (const [fields, how] of [
          [sums, ADD],
          [maxima, KEEP_LARGER],
        ] as const) {
          for (const [field, value] of fields) {
            db.run(`${INTO_BUCKET} ${how}`, deploymentId, bucket, field, value);
            db.run(`${INTO_STEP} ${how}`, deploymentId, step, field, value);
          }
        }
        db.run(
          `INSERT INTO steps (deployment_id, step, last_bucket) VALUES (?1, ?2, ?3)
           ON CONFLICT DO UPDATE SET last_bucket = ?3`,
          deploymentId,
          step,
          bucket,
        );
        if (bucket === sweptBucket) return;
        sweptBucket = bucket;
        sweep(bucket);
      });
    },

    async readTelemetry(deploymentId, windowMs, agoMs = 0) {
      const { after, last } = bucketsOf(current(), windowMs, agoMs);
      return totalsOf(db.all(WINDOW, deploymentId, after, last));
    },

    async readStep(deploymentId, step) {
      return { lanes: totalsOf(db.all(STEP, deploymentId, step)), at: clock.now() };
    },
  };
}

function totalsOf(rows: readonly Row[]): LanesTotals {
  return fromFields([rows.map((row) => [textOf(row, 'field'), numberOf(row, 'value')] as const)]);
}
