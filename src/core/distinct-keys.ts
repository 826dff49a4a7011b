import { mix32, type KeyHash } from './hash.ts';

/**
 * About how many distinct keys there were, in 256 bytes, mergeable: HyperLogLog (P. Flajolet, É. Fusy, O. Gandouet,
 * F. Meunier: "HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm", AofA 2007, figure 3).
 * Each key picks a register by 8 bits of its hash; a register holds the longest run of zeros, plus one, that the other
 * 24 bits of its keys began with. Merging keeps the larger of each register, so that a key which two proxies saw, or
 * one proxy in two seconds, counts once.
 *
 * The standard error is 1.04 / √256 = 6.5 %, and less below some 200 keys. The paper's correction for hashes that
 * collide (from 2^32 / 30 = 140 million keys on) is left out: what is asked for here is at most some thousands.
 */
export type DistinctKeys = Uint8Array;

export const KEY_REGISTERS = 256;

/** Apart from the lane's and the ring's seeds: by the lane's own hash, a 10 % canary's keys would all be alike. */
const KEY_SEED = 0x6b657973; // "keys"

const HASH_BITS_LEFT = 24;

/** α_m of the paper for m ≥ 128. */
const ALPHA = 0.7213 / (1 + 1.079 / KEY_REGISTERS);

export function createDistinctKeys(): DistinctKeys {
  return new Uint8Array(KEY_REGISTERS);
}

export function countKey(registers: DistinctKeys, key: KeyHash): void {
  const hash = mix32(key ^ KEY_SEED);
  const rank = Math.min(Math.clz32(hash << 8), HASH_BITS_LEFT) + 1;
  const register = hash >>> HASH_BITS_LEFT;
  if (rank > registers[register]!) registers[register] = rank;
}

/** Merges `from` into `into`. */
export function mergeKeys(into: DistinctKeys, from: DistinctKeys): void {
  for (let i = 0; i < KEY_REGISTERS; i++) if (from[i]! > into[i]!) into[i] = from[i]!;
}

/** About how many distinct keys were counted; exactly 0 where none was. */
export function distinctKeyCount(registers: DistinctKeys): number {
  let inverses = 0;
  let empty = 0;
  for (const register of registers) {
    inverses += 2 ** -register;
    if (register === 0) empty++;
  }
  const raw = (ALPHA * KEY_REGISTERS ** 2) / inverses;
  // Few keys: from how many registers none of them has picked (linear counting).
  const estimate =
    raw <= 2.5 * KEY_REGISTERS && empty > 0 ? KEY_REGISTERS * Math.log(KEY_REGISTERS / empty) : raw;
  return Math.round(estimate);
}
