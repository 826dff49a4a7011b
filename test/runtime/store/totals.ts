import { hashKey } from '../../../src/core/hash.ts';
import { countKey } from '../../../src/core/distinct-keys.ts';
import { record } from '../../../src/core/histogram.ts';
import { addLanes, createLanesTotals, type LanesTotals } from '../../../src/core/lane-totals.ts';
import { LANES } from '../../../src/core/lane.ts';
import { OUTCOME_INDEX } from '../../../src/core/outcome.ts';

/** What became of jobs that took so many milliseconds each: every third a canary's, every other one failed. */
export function delta(latencies: readonly number[]): LanesTotals {
  const totals = createLanesTotals();
  for (const [i, latency] of latencies.entries()) {
    const lane = totals[i % 3 === 0 ? 'canary' : 'stable'];
    lane.routed++;
    lane.outcomes[i % 2 === 0 ? OUTCOME_INDEX.success : OUTCOME_INDEX.failure]!++;
    if (i % 4 === 3) lane.excused++;
    if (i % 2 === 1) lane.retried++;
    record(lane.latency, latency);
    countKey(lane.keys, hashKey(`customer-${latency}`));
  }
  return totals;
}

export function sumOf(...parts: readonly LanesTotals[]): LanesTotals {
  const sum = createLanesTotals();
  for (const part of parts) addLanes(sum, part);
  return sum;
}

/** To compare: times in whole microseconds, as they are stored. */
export function exact(totals: LanesTotals) {
  return LANES.map((lane) => {
    const { sum, max, ...latency } = totals[lane].latency;
    return { ...totals[lane], latency, sumUs: Math.round(1000 * sum), maxUs: Math.round(1000 * max) };
  });
}
