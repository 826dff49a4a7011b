import type { ActivityStore } from '../activity-store.ts';
import type { DamagedRecords } from '../damaged-records.ts';
import { damaged } from '../records.ts';
import type { RedisConnection } from './connection.ts';
import { KEYS } from './keys.ts';
import { pairsOf, textOf } from './replies.ts';

/** Of one call: there may be thousands, and they must not hold up the server. */
const WORKERS_MAX = 500;

export function createActivity(connection: RedisConnection, damage: DamagedRecords): ActivityStore {
  return {
    async noteActivity(sightings) {
      for (let i = 0; i < sightings.length; i += WORKERS_MAX) {
        const args = sightings
          .slice(i, i + WORKERS_MAX)
          .flatMap(({ workerId, version, processed, succeeded, failed, totalMs }) => [
            workerId,
            version,
            ...[processed, succeeded, failed, totalMs].map(String),
          ]);
        await connection.run('noteActivity', [KEYS.workers, KEYS.activity], args);
      }
    },

    async listActivity(ids) {
      const pairs =
        ids === undefined
          ? pairsOf(await connection.call('HGETALL', KEYS.activity), 'worker activity')
          : await readSome(connection, ids);
      return new Map(
        damage.readable(
          pairs.map(([id, record]) => ({
            name: `activity of worker ${id}`,
            decode: () => [id, activityOf(id, record)] as const,
          })),
        ),
      );
    },
  };
}

async function readSome(
  connection: RedisConnection,
  ids: readonly string[],
): Promise<readonly (readonly [string, string])[]> {
  const found: (readonly [string, string])[] = [];
  for (let from = 0; from < ids.length; from += WORKERS_MAX) {
    const some = ids.slice(from, from + WORKERS_MAX);
    const reply = await connection.call('HMGET', KEYS.activity, ...some);
    if (!Array.isArray(reply)) throw damaged('worker activity', 'not a list');
    some.forEach((id, i) => {
      const record: unknown = reply[i];
      if (record !== null) found.push([id, textOf(record, `activity of worker ${id}`)]);
    });
  }
  return found;
}

/** `<version> <processed> <succeeded> <failed> <total ms> <last job> <last seen>`; 0 for no job yet. */
function activityOf(id: string, record: string) {
  const [version, ...words] = record.split(' ');
  const [processed, succeeded, failed, totalMs, lastJobAt, lastSeen] = words.map(Number);
  if (version === undefined || lastSeen === undefined || words.some((word) => Number.isNaN(Number(word)))) {
    throw damaged(`activity of worker ${id}`, 'a version and six numbers were expected');
  }
  return {
    version,
    processed: processed!,
    succeeded: succeeded!,
    failed: failed!,
    totalMs: totalMs!,
    lastJobAt: lastJobAt === 0 ? null : lastJobAt!,
    lastSeen,
  };
}
