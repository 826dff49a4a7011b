const FIRST_MS = 50;
/** As long as it may take after an outage until jobs flow again. */
const MAX_MS = 3_000;

/** Before a call of the store is made again that has failed `failures` + 1 times, ± half. */
export function storePauseMs(failures: number, random: () => number): number {
  return Math.min(MAX_MS, FIRST_MS * 2 ** failures) * (0.5 + random());
}
