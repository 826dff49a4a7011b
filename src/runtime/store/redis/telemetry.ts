import { damaged } from '../records.ts';
import { fromFields, toFields } from '../telemetry-fields.ts';
import { BUCKET_MS, bucketsOf, TELEMETRY_WINDOW_MAX_MS, type TelemetryStore } from '../telemetry-store.ts';
import type { RedisConnection } from './connection.ts';
import { telemetryKey } from './keys.ts';
import { countOf, pairsOf } from './replies.ts';

/** Buckets that one call reads: a long window must not hold up the server. */
const READ_MAX = 200;

export function createTelemetry(connection: RedisConnection): TelemetryStore {
  const readBuckets = async (deploymentId: string, first: number, last: number): Promise<unknown[]> => {
    const reply = await connection.run(
      'readTelemetry',
      [telemetryKey(deploymentId)],
      [String(BUCKET_MS), String(first), String(last)],
    );
    if (!Array.isArray(reply)) throw damaged('telemetry', 'not a list');
    return reply;
  };
  return {
    async recordTelemetry(deploymentId, delta) {
      const { sums, maxima } = toFields(delta);
      await connection.run(
        'recordTelemetry',
        [telemetryKey(deploymentId)],
        [
          String(BUCKET_MS),
          String(TELEMETRY_WINDOW_MAX_MS + BUCKET_MS),
          String(sums.length),
          ...[...sums, ...maxima].flatMap(([field, value]) => [field, String(value)]),
        ],
      );
    },

    async readTelemetry(deploymentId, windowMs, agoMs = 0) {
      const [now] = await readBuckets(deploymentId, 1, 0);
      const range = bucketsOf(countOf(String(now), 'bucket'), windowMs, agoMs);
      const buckets: unknown[] = [];
      for (let last = range.last; last > range.after; last -= READ_MAX) {
        const first = Math.max(range.after + 1, last - READ_MAX + 1);
        buckets.push(...(await readBuckets(deploymentId, first, last)).slice(1));
      }
      return fromFields(
        buckets.map((bucket) =>
          pairsOf(bucket, 'telemetry').map(([field, value]) => [field, countOf(value, 'telemetry')] as const),
        ),
      );
    },
  };
}
