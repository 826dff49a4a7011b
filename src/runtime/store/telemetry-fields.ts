import { KEY_REGISTERS } from '../../core/distinct-keys.ts';
import { addToBucket, BUCKETS, filledBuckets } from '../../core/histogram.ts';
import { createLanesTotals, type LanesTotals } from '../../core/lane-totals.ts';
import { LANES, type Lane } from '../../core/lane.ts';
import { OUTCOMES } from '../../core/outcome.ts';

/**
 * Lane totals as named whole numbers, which is what both stores add up: `c.r` canary jobs routed, `c.3` jobs of
 * outcome 3, `c.y` those tried again on stable, `c.x` the excused ones, `c.h120` latencies in histogram bucket 120, `c.t` their sum in microseconds. Those
 * whose letter is `m` (the longest latency in microseconds) or `k` (`c.k17`, register 17 of the distinct keys) are not
 * added but kept where they are larger. Only what is not 0 is written.
 */
export interface TelemetryFields {
  readonly sums: readonly (readonly [field: string, value: number])[];
  readonly maxima: readonly (readonly [field: string, value: number])[];
}

const LETTER: Readonly<Record<Lane, string>> = { stable: 's', canary: 'c' };
const MICROSECONDS = 1000;

export function toFields(totals: LanesTotals): TelemetryFields {
  const sums: [string, number][] = [];
  const maxima: [string, number][] = [];
  for (const lane of LANES) {
    const { routed, outcomes, retried, excused, latency, keys } = totals[lane];
    const add = (what: string, value: number): void => {
      if (value > 0) sums.push([`${LETTER[lane]}.${what}`, value]);
    };
    add('r', routed);
    outcomes.forEach((count, outcome) => add(String(outcome), count));
    add('y', retried);
    add('x', excused);
    add('t', Math.round(latency.sum * MICROSECONDS));
    if (latency.count > 0) {
      for (const [bucket, count] of filledBuckets(latency)) add(`h${bucket}`, count);
      maxima.push([`${LETTER[lane]}.m`, Math.ceil(latency.max * MICROSECONDS)]);
    }
    keys.forEach((rank, register) => {
      if (rank > 0) maxima.push([`${LETTER[lane]}.k${register}`, rank]);
    });
  }
  return { sums, maxima };
}

const FIELD = /^([sc])\.(?:(\d)|h(\d+)|k(\d+)|([rtmxy]))$/;

/** Adds one bucket's fields; a field of a later release is passed over. */
export function addFields(
  into: LanesTotals,
  fields: Iterable<readonly [field: string, value: number]>,
): void {
  for (const [field, value] of fields) {
    const match = FIELD.exec(field);
    if (match === null) continue;
    const [, letter, outcome, bucket, register, what] = match;
    const lane = into[letter === 'c' ? 'canary' : 'stable'];
    if (outcome !== undefined) {
      if (Number(outcome) < OUTCOMES.length) lane.outcomes[Number(outcome)]! += value;
    } else if (bucket !== undefined) {
      if (Number(bucket) < BUCKETS) addToBucket(lane.latency, Number(bucket), value);
    } else if (register !== undefined) {
      if (Number(register) >= KEY_REGISTERS) continue;
      lane.keys[Number(register)] = Math.max(lane.keys[Number(register)]!, value);
    } else if (what === 'r') lane.routed += value;
    else if (what === 'y') lane.retried += value;
    else if (what === 'x') lane.excused += value;
    else if (what === 't') lane.latency.sum += value / MICROSECONDS;
    else if (what === 'm') lane.latency.max = Math.max(lane.latency.max, value / MICROSECONDS);
  }
}

export function fromFields(
  buckets: Iterable<Iterable<readonly [field: string, value: number]>>,
): LanesTotals {
  const totals = createLanesTotals();
  for (const fields of buckets) addFields(totals, fields);
  return totals;
}
