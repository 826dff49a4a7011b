import { byteString, hash32, mix32, type KeyHash } from './hash.ts';

/**
 * Which of the two versions of a queue a dispatch goes to.
 *
 * The lane is a *threshold* on a fixed position of the key, not a weight in a ring: raising the percentage moves
 * keys from stable to canary only, lowering it moves them back only. The position is salted by the deployment, so
 * that it isn't the same customers who go first at every release.
 */
export const LANES = ['stable', 'canary'] as const;
export type Lane = (typeof LANES)[number];

const POSITIONS = 2 ** 32;

/** Seeds the salt's own hash. */
const SALT_SEED = 0x6c616e65; // "lane"

/** What `lanePosition` needs of a salt, computed once per route. */
export function laneSeed(salt: string): number {
  return hash32(byteString(salt), SALT_SEED);
}

/** Where a key stands in [0, 2^32) under a salt. */
export function lanePosition(key: KeyHash, seed: number): number {
  return mix32(key ^ seed);
}

/** The position below which a key is canary; 0 for 0 %, 2^32 (above every position) for 100 %. */
export function laneThreshold(percentage: number): number {
  return Math.round((percentage / 100) * POSITIONS);
}

export function laneAt(position: number, threshold: number): Lane {
  return position < threshold ? 'canary' : 'stable';
}

/** A fresh position for a dispatch that is not sticky. `random` is in [0, 1). */
export function randomPosition(random: number): number {
  return Math.floor(random * POSITIONS);
}

/** 0 to 100 with at most two decimals. */
export function isPercentage(value: unknown): value is number {
  if (typeof value !== 'number' || !(value >= 0 && value <= 100)) return false;
  // The number nearest to its own two-decimal form: exact where 33.33 * 100 is 3333 only up to rounding.
  return Number(value.toFixed(2)) === value;
}
