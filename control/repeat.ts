import { LanewiseError } from '../src/core/errors.ts';

/** Losing a compare-and-set this often means that others write the same record without a pause. */
const ATTEMPTS_MAX = 50;

/**
 * Reads, decides and writes again until nothing moved in between.
 * @param attempt resolves with undefined if something did
 * @throws STORE_UNAVAILABLE when it never comes to rest; nothing is stored then
 */
export async function repeat<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  for (let i = 0; i < ATTEMPTS_MAX; i++) {
    const result = await attempt();
    if (result !== undefined) return result;
  }
  throw new LanewiseError('STORE_UNAVAILABLE', 'The record is changed by others without a pause', {
    details: { store: `the record moved on ${ATTEMPTS_MAX} times during this change; nothing was stored` },
  });
}
