import { mix32 } from './hash.ts';

/**
 * Slow start: a worker that is new, or back after it was out, has cold caches and connections yet to open. So it does
 * not get all the keys that the ring names it for at once, but a share of them that grows; the others stay with whom
 * they have been, their next candidate.
 *
 * Which keys come first is settled by a hash of the key alone. So a key moves at most once while a worker ramps up, to
 * it; and where several ramp up side by side, as all workers of a new version do, none moves among them.
 */

/** Envoy's `min_weight_percent`: with none at all nothing would ever warm up. */
export const SHARE_MIN = 0.1;

/** Linear, as Envoy's `aggression: 1`. @returns the share of its keys, `SHARE_MIN` to 1 */
export function shareAfter(elapsedMs: number, slowStartMs: number): number {
  return elapsedMs >= slowStartMs ? 1 : Math.max(SHARE_MIN, elapsedMs / slowStartMs);
}

const RAMP_SEED = 0x72616d70; // "ramp"

/**
 * Whether a key is among those that a worker has at its share.
 * @param keyHash of the key on the ring: it says nothing of the place among the keys of one worker, once it is mixed
 */
export function isAdmitted(keyHash: number, share: number): boolean {
  return mix32(keyHash ^ RAMP_SEED) < share * 2 ** 32;
}
