import type { LanesTotals } from '../../../core/lane-totals.ts';
import type { JudgeStore } from '../judge-store.ts';
import { damaged } from '../records.ts';
import { fromFields, toFields } from '../telemetry-fields.ts';
import {
  BUCKET_MS,
  bucketsOf,
  STEP_KEPT_MS,
  TELEMETRY_WINDOW_MAX_MS,
  type TelemetryStore,
} from '../telemetry-store.ts';
import type { RedisConnection } from './connection.ts';
import { telemetryKey } from './keys.ts';
import { countOf, textOf } from './replies.ts';

/** Buckets that one call reads: a long window must not hold up the server. */
const READ_MAX = 200;

/** Deltas that wait to be added up: adding them up costs the less each, and reading the more, the more they are. */
const PENDING_MAX = 50;

/** What is written late in a bucket must not go before its time. */
const KEPT_MS = [TELEMETRY_WINDOW_MAX_MS + BUCKET_MS, STEP_KEPT_MS + BUCKET_MS].map(String);

type Fields = readonly (readonly [field: string, value: number])[];

export function createTelemetry(connection: RedisConnection): TelemetryStore & Pick<JudgeStore, 'readStep'> {
  const bucketMs = String(BUCKET_MS);
  return {
    async recordTelemetry(deploymentId, step, delta) {
      const args = recordArguments(step, delta);
      if (args !== undefined) await connection.run('recordTelemetry', [telemetryKey(deploymentId)], args);
    },

    async readTelemetry(deploymentId, windowMs, agoMs = 0) {
      // Counted back from the current bucket, which the first answer tells.
      const { after, last } = bucketsOf(0, windowMs, agoMs);
      const parts: Fields[] = [];
      let current = '';
      for (let to = last; to > after; to -= READ_MAX) {
        const from = Math.max(after + 1, to - READ_MAX + 1);
        const reply = await connection.run(
          'readTelemetry',
          [telemetryKey(deploymentId)],
          [bucketMs, current, String(-from), String(-to)],
        );
        const [bucket, ...fields] = listOf(reply);
        current = textOf(bucket, 'telemetry');
        parts.push(...fields.map(fieldsOf));
      }
      return fromFields(parts);
    },

    async readStep(deploymentId, step) {
      const reply = await connection.run('readStep', [telemetryKey(deploymentId)], [bucketMs, String(step)]);
      const [at, ...parts] = listOf(reply);
      return { lanes: fromFields(parts.map(fieldsOf)), at: countOf(textOf(at, 'telemetry'), 'telemetry') };
    },
  };
}

/** Of the script; undefined where there is nothing to add. */
export function recordArguments(step: number, delta: LanesTotals): readonly string[] | undefined {
  const { sums, maxima } = toFields(delta);
  if (sums.length + maxima.length === 0) return undefined;
  const json = JSON.stringify([step, sums.length, ...sums.flat(), ...maxima.flat()]);
  return [String(BUCKET_MS), ...KEPT_MS, String(PENDING_MAX), json];
}

function listOf(reply: unknown): readonly unknown[] {
  if (!Array.isArray(reply)) throw damaged('telemetry', 'not a list');
  return reply;
}

/** `name value name value …`. */
function fieldsOf(reply: unknown): Fields {
  const words = textOf(reply, 'telemetry').split(' ');
  const fields: (readonly [string, number])[] = [];
  for (let i = 0; i + 1 < words.length; i += 2) fields.push([words[i]!, sumOf(words[i + 1]!)]);
  return fields;
}

/** Microseconds of many slow jobs may add up to more than a safe integer; an average of them needs no last digit. */
function sumOf(text: string): number {
  if (!/^\d+$/.test(text)) throw damaged('telemetry', 'not a count');
  return Number(text);
}
